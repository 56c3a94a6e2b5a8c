import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Preprocess } from '../../../src/domain/preprocess.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import { exportFiles } from '../../../src/models/export/export-files.ts';
import { trainedModel } from './trained-model.ts';

await startEngine({ engine: 'js', precision: 'f32', threads: null });

test('each format has classes and preprocessing beside it; a class’s name may hold anything', async () => {
  const classes = ['plain', 'two\nlines', 'comma, "quote"'];
  const head = { lin_ftrs: [], ps: 0, concat_pool: true, bn_final: false };
  const model = trainedModel('squeezenet1_1', classes.length, head);
  const files = new Map<string, string>();
  const facts = {
    arch: 'squeezenet1_1' as const,
    classes,
    size: [40, 56] as [number, number],
    resize_method: 'pad' as const,
    padding_mode: 'zeros' as const,
    exif_orientation: 'apply' as const,
    mean: [0.1, 0.2, 0.3],
    std: [0.4, 0.5, 0.6],
  };
  for await (const { name, bytes } of exportFiles(model, facts)) {
    files.set(name, Buffer.from(bytes).toString('utf8'));
  }
  model.dispose();
  const { arch: _, ...shared } = facts;
  for (const [folder, layout] of [
    ['safetensors', 'NCHW'],
    ['onnx', 'NCHW'],
    ['tfjs', 'NHWC'],
  ] as const) {
    const text = files.get(`${folder}/preprocess.json`) ?? '';
    const { interpolation, ...said } = Preprocess.parse(JSON.parse(text));
    assert.equal(interpolation.mode, 'bilinear');
    assert.deepEqual(said, { ...shared, input: 'input', layout, color: 'RGB' });
  }
  assert.equal(files.get('labels.txt'), 'plain\ntwo\\nlines\ncomma, "quote"\n');
  assert.match(files.get('README.md') ?? '', /ImageOps\.pad\(.*, \(56, 40\), Image\.BILINEAR\)/);
  const { userDefinedMetadata } = JSON.parse(files.get('tfjs/model.json') ?? '');
  assert.deepEqual(userDefinedMetadata, { arch: 'squeezenet1_1', classes });
});
