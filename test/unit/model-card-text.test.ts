import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Manifest } from '../../src/domain/dataset.ts';
import type { EngineInfo } from '../../src/domain/event.ts';
import type { FinishedModel } from '../../src/learner/journal.ts';
import { modelCard } from '../../workers/training/model-card.ts';
import { modelCardText } from '../../workers/training/model-card-text.ts';
import { specOf } from '../parity/scripted-run.ts';

const job = {
  id: 'job_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  owner: 'ann',
  type: 'train' as const,
  dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  spec: specOf({ seed: 77, name: 'night | day' }),
  warnings: [],
  created_at: '2026-01-01T00:00:00.000Z',
};
const item = { offset: 0, length: 1, width: 1, height: 1, orientation: 1, sha256: '0' };
const manifest: Manifest = {
  classes: ['a|b', 'c'],
  items: [
    { ...item, file: '1', label: 'a|b', split: 'train' },
    { ...item, file: '2', label: 'a|b', split: 'train' },
    { ...item, file: '3', label: 'c', split: 'valid' },
  ],
  digest: 'digest-of-the-data',
  created_at: job.created_at,
};
const model: FinishedModel = {
  classes: manifest.classes,
  size: [28, 20],
  resizeMethod: 'squish',
  normalize: null,
  head: { lin_ftrs: [512], ps: [0.25, 0.5], concat_pool: true, bn_final: false },
  parameters: 11_000_000,
  metrics: { valid_loss: 0.25, accuracy: 0.5 },
  testMetrics: null,
  confusionMatrix: [
    [7, 1],
    [2, 9],
  ],
  body: 'imagenet',
};
const engine: EngineInfo = {
  name: 'js',
  version: '4',
  isa: 'none',
  precision: 'f32',
  threads: 1,
};
const textOf = (made: FinishedModel, used: EngineInfo = engine) => {
  const from = { job, manifest, model: made, files: [], engine: used, codeVersion: '1.2.3' };
  return modelCardText(modelCard(from), { job, manifest, model: made });
};

test('a model card says data, recipe, metrics, confusion and everything that another run needs', () => {
  const text = textOf(model);
  for (const fact of [
    /28 px high and 20 px wide, fitted by `squish`/,
    /\| a\\\|b \| 2 \| 0 \|/,
    /\| c \| 0 \| 1 \|/,
    /\| a\\\|b \| 7 \| 1 \|/,
    /\| accuracy \| 0\.5 \|/,
    /\| data digest \| digest-of-the-data \|/,
    /\| seed \| 77 \|/,
    /\| onecycle \| 1\.2\.3 \|/,
    /\| specification, sha256 \| [0-9a-f]{64} \|/,
    /\| engine \| js 4/,
    /"max_lr": 0\.03/,
  ]) {
    assert.match(text, fact);
  }
  assert.match(text, /^# night \\\| day\n/);
});

test('a model card tells what was measured on the test split from what was validated', () => {
  const text = textOf({ ...model, testMetrics: { test_loss: 0.75, accuracy: 0.125 } });
  assert.match(text, /On the test images.*\| accuracy \| 0\.125 \|/s);
  assert.doesNotMatch(textOf(model), /test images, which/);
});

test('without validation images a model card says that nothing was measured', () => {
  const text = textOf({ ...model, metrics: {}, confusionMatrix: null });
  assert.match(text, /no validation images: nothing was measured/);
  assert.doesNotMatch(text.replace(/```json.*```/s, ''), /null|undefined|NaN/);
});

test('a model card says where its metrics were measured in another precision than the exports have', () => {
  assert.doesNotMatch(textOf(model), /bfloat16/);
  assert.match(textOf(model, { ...engine, precision: 'bf16' }), /rounded activations to bfloat16/);
});

test('with many classes a model card lists the pairs confused most in place of a matrix', () => {
  const classes = Array.from({ length: 40 }, (_, i) => `class${i}`);
  const matrix = classes.map((_, i) => classes.map((__, j) => (i === 3 && j === 5 ? 12 : 0)));
  const text = textOf({ ...model, classes, confusionMatrix: matrix });
  assert.match(text, /\| class3 \| class5 \| 12 \|/);
});
