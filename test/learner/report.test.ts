// What a finished run leaves beside its model, whatever its data and phases are.

import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import sharp from 'sharp';
import type { EngineInfo, EventBody } from '../../src/domain/event.ts';
import { Interpretation } from '../../src/domain/interpretation.ts';
import { parseSpec } from '../../src/domain/spec.ts';
import { startEngine } from '../../src/engine/engine.ts';
import type { Journal } from '../../src/learner/journal.ts';
import { runPipeline } from '../../src/learner/pipeline.ts';
import { fetchedBy, textOf } from '../plots/page.ts';
import { type TinySet, tinySet } from './phase-runs.ts';

const pictures = ['losses', 'rates', 'metrics', 'confusion_matrix', 'class_scores', 'top_losses'];
const cycle = { type: 'fit_one_cycle', epochs: 1, max_lr: 1e-3 };

let engine: EngineInfo;
before(async () => {
  engine = await startEngine({ engine: 'auto', precision: 'auto', threads: null });
});

/** Runs a spec; `broken` are artifacts that cannot be written. */
async function run(set: TinySet, spec: object, broken: string[] = []) {
  const artifacts = new Map<string, Buffer>();
  const models: string[] = [];
  const warnings: string[] = [];
  const journal: Journal = {
    event(event: EventBody) {
      if (event.type === 'warning') warnings.push(event.message);
    },
    async artifact(name, _, bytes) {
      if (broken.includes(name)) throw new Error('no room on the disk');
      artifacts.set(name, Buffer.from(bytes));
    },
    async checkpoint() {},
    async modelFile(name) {
      models.push(name);
    },
  };
  const input = {
    spec: parseSpec({
      dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV',
      pretrained: null,
      arch: 'squeezenet1_1',
      data: { batch_size: 4 },
      ...spec,
    }),
    manifest: set.manifest,
    imagesPath: set.imagesPath,
    pretrained: null,
    checkpointPath: null,
    attempt: 1,
    engine,
    jobId: 'job_01ARZ3NDEKTSV4RRFFQ69G5FAV',
    codeVersion: '0',
  };
  const end = await runPipeline(input, journal, { signal: new AbortController().signal });
  assert.equal(end.outcome, 'finished');
  assert.ok(models.length > 0);
  return { artifacts, warnings };
}

const page = (artifacts: Map<string, Buffer>) => String(artifacts.get('report.html'));

test('a run leaves every picture as SVG and PNG, its interpretation, and a page with all of it', async () => {
  const phases = [
    { type: 'lr_find', num_it: 20 },
    { ...cycle, data: { size: 96 } },
  ];
  const { artifacts, warnings } = await run(await tinySet(), { phases });
  assert.deepEqual(warnings, []);
  for (const name of [...pictures, 'lr_find']) {
    for (const kind of ['svg', 'png']) {
      const { format } = await sharp(artifacts.get(`${name}.${kind}`)).metadata();
      assert.equal(format, kind, name);
    }
  }
  assert.deepEqual(fetchedBy(page(artifacts)), []);
  const interpretation = Interpretation.parse(
    JSON.parse(String(artifacts.get('interpretation.json'))),
  );
  assert.equal(interpretation.top_losses.length, 4);
  for (const { file, actual, image, heat } of interpretation.top_losses) {
    assert.ok(file.includes(`/${actual}/`));
    const sizes = await Promise.all([image, heat ?? ''].map((uri) => sizeOf(uri)));
    // 96 px give SqueezeNet 5 x 5 cells
    assert.deepEqual(sizes, ['96x96', '60x60']);
  }
});

test('where the last activations are too few there is no heat, and the page says so', async () => {
  const { artifacts } = await run(await tinySet(), {
    phases: [cycle],
    evaluation: { top_losses: 2 },
  });
  const { top_losses } = JSON.parse(String(artifacts.get('interpretation.json')));
  assert.deepEqual(
    top_losses.map(({ heat }: { heat: null }) => heat),
    [null, null],
  );
  assert.match(textOf(page(artifacts)), /too few to say where it looked/);
});

test('the images of the top losses are those of the highest loss, as they lie in the file', async () => {
  const set = await tinySet({ train: 8, valid: 6 });
  const { artifacts } = await run(set, { phases: [cycle], evaluation: { top_losses: 3 } });
  const { top_losses } = JSON.parse(String(artifacts.get('interpretation.json')));
  const losses = top_losses.map(({ loss }: { loss: number }) => loss);
  assert.deepEqual(
    losses,
    [...losses].sort((a: number, b: number) => b - a),
  );
  for (const { file, image } of top_losses) {
    // even images are dark, odd ones are bright
    const { channels } = await sharp(bytesOf(image)).stats();
    const dark = Number.parseInt(file.split('/').at(-1), 10) % 2 === 0;
    assert.equal((channels[0]?.mean ?? 0) < 115, dark, file);
  }
});

test('no validation set: no interpretation, and a page all the same', async () => {
  const { artifacts, warnings } = await run(await tinySet({ valid: 0 }), {
    phases: [cycle],
    data: { batch_size: 4, valid_pct: 0 },
  });
  assert.match(warnings.join(), /^No image is left to validate on/);
  const names = [...artifacts.keys()].filter((name) => name.endsWith('.svg')).sort();
  assert.deepEqual(names, ['losses.svg', 'rates.svg']);
  assert.ok(!artifacts.has('interpretation.json'));
  assert.match(textOf(page(artifacts)), /nothing to validate on/);
});

test('a range test alone, and no top losses asked for', async () => {
  const { artifacts, warnings } = await run(await tinySet(), {
    phases: [{ type: 'lr_find', num_it: 8 }],
    evaluation: { top_losses: 0 },
    metrics: [],
  });
  assert.deepEqual(warnings, []);
  assert.ok(!artifacts.has('losses.svg') && !artifacts.has('top_losses.svg'));
  assert.match(textOf(page(artifacts)), /No epoch was trained/);
});

test('a picture or page that cannot be written is a warning, and the model is there', async () => {
  const broken = ['losses.svg', 'report.html'];
  const { artifacts, warnings } = await run(await tinySet(), { phases: [cycle] }, broken);
  assert.deepEqual(warnings, [
    'losses could not be written: no room on the disk',
    'report.html could not be written: no room on the disk',
  ]);
  assert.ok(artifacts.has('rates.png'));
});

function bytesOf(uri: string): Buffer {
  return Buffer.from(uri.slice(uri.indexOf(',') + 1), 'base64');
}

async function sizeOf(uri: string): Promise<string> {
  const { width, height } = await sharp(bytesOf(uri)).metadata();
  return `${width}x${height}`;
}
