// Jobs on the awkward data sets of field/: what a spec and its data can't do together is refused, what can't be
// measured is said, and what real fastai trains is trained.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { modelView } from '../../src/api/views.ts';
import { absent, testData } from '../fixtures/test-data.ts';
import { newDataDir, Stack } from './running-stack.ts';

const skip = absent('field/MANIFEST.json');
let stack: Stack;
before(async () => {
  if (!skip) stack = await Stack.start(await newDataDir());
});
after(() => stack?.stop());

const bytesOf = (name: string) => readFileSync(testData(`field/${name}`) ?? '');
const specOf = (folder: string) =>
  JSON.parse(bytesOf(`${folder}/spec.json`).toString('utf8')) as Record<string, object>;
const uploaded = async (name: string) => (await stack.prepared(bytesOf(name))).id;
const submit = (dataset: string, spec: object) =>
  stack.call<{
    id: string;
    code?: string;
    hint: string;
    errors: { path: string; message: string }[];
    warnings: string[];
  }>('POST', '/v1/jobs', { pretrained: null, data: { size: 32, batch_size: 4 }, ...spec, dataset });
const finish = async (dataset: string, spec: object) => {
  const { id } = await submit(dataset, spec);
  return await stack.finish(id);
};
const modelOf = (id: unknown) =>
  stack.call<ReturnType<typeof modelView>>('GET', `/v1/models/${String(id)}`);
const cycle = (epochs: number, max_lr: unknown = 1e-3) => [
  { type: 'fit_one_cycle', epochs, max_lr },
];

test('a batch of one is refused with what was expected', { skip }, async () => {
  const dataset = await uploaded('31-batch-size-1/two.zip');
  const spec = specOf('31-batch-size-1');
  const { code, errors } = await submit(dataset, spec);
  assert.deepEqual([code, errors[0]?.path], ['invalid_spec', 'data.batch_size']);
  assert.match(errors[0]?.message ?? '', /at least 2, got 1/);
});

test('a phase’s own data: eight steps, a model of its size; a batch too large there is refused when it is sent', {
  skip,
}, async () => {
  const dataset = await uploaded('34-phase-data-ignored/two.zip');
  const spec = specOf('34-phase-data-ignored') as { phases: { data?: object }[] };
  const { job, events } = await finish(dataset, spec);
  assert.equal(job.state, 'succeeded');
  const steps = events.flatMap((event) => (event.type === 'phase.started' ? [event.steps] : []));
  assert.deepEqual(steps, [2, 8]);
  assert.deepEqual((await modelOf(job.model)).size, [64, 64]);
  const [first, second] = spec.phases;
  const large = { ...second, data: { size: 64, batch_size: 64 } };
  const refused = await submit(dataset, { ...spec, phases: [first, large] });
  assert.deepEqual(
    [refused.code, refused.errors[0]?.path],
    ['batch_too_large', 'phases.1.data.batch_size'],
  );
});

test('the same fault in a job that was sent before its data set was ready fails once, with the hint', {
  skip,
}, async () => {
  const archive = bytesOf('34-phase-data-ignored/two.zip');
  const { id: dataset } = await stack.call('POST', '/v1/datasets', archive);
  const sent = await submit(dataset, { data: { size: 32, batch_size: 64 } });
  // the data set was quicker than the job
  if (sent.code) return assert.equal(sent.code, 'batch_too_large');
  const { job } = await stack.finish(sent.id);
  assert.deepEqual([job.state, job.error?.code], ['failed', 'batch_too_large']);
  assert.match(job.error?.hint ?? '', /at most 16/);
  assert.equal(job.attempts.length, 1);
});

test('callbacks that watch what is not there do nothing, and that is said once', {
  skip,
}, async () => {
  const dataset = await uploaded('35-early-stopping-without-valid/four_images.zip');
  const { job, events } = await finish(dataset, specOf('35-early-stopping-without-valid'));
  assert.deepEqual([job.state, job.metrics.length], ['succeeded', 5]);
  const said = events.flatMap((event) => (event.type === 'warning' ? [event.message] : []));
  assert.deepEqual(job.warnings, said);
  assert.equal(said.length, new Set(said).size);
  assert.ok(said.some((message) => /No image is left to validate on/.test(message)));
  assert.ok(said.some((message) => /early_stopping watches valid_loss/.test(message)));
  assert.ok(said.some((message) => /save_best watches valid_loss/.test(message)));
});

test('classes of one image: the model knows them all, and which ones validate nothing is said', {
  skip,
}, async () => {
  const dataset = await uploaded('12-classes-of-one-image/whales.zip');
  const { job } = await finish(dataset, { metrics: ['accuracy', 'f_beta'], phases: cycle(1) });
  assert.equal(job.state, 'succeeded');
  const { classes, metrics } = await modelOf(job.model);
  assert.deepEqual(classes, ['new_whale', ...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `w_${i}`)]);
  assert.ok(typeof metrics.f_beta === 'number');
  const said = job.warnings.join('\n');
  assert.match(said, /of 9 classes have no validation image/);
  assert.match(said, /f_beta.*"macro" is taken/);
});

test('a small job whose validation loss is strange is kept, whatever the seed', {
  skip,
}, async () => {
  const dataset = await uploaded('30-training-sets/three.zip');
  for (const seed of [1, 2, 3]) {
    const { job } = await finish(dataset, { seed, phases: cycle(1, 1e-2) });
    assert.deepEqual([job.state, job.error], ['succeeded', null]);
    const { metrics } = await modelOf(job.model);
    const strange = (metrics.valid_loss ?? 0) > 100 * Math.log(3);
    assert.equal(
      job.warnings.some((said) => said.startsWith('The last validation loss')),
      strange,
    );
  }
});

test('a metric that is not defined is null and named, and the class that is missing too', {
  skip,
}, async () => {
  const dataset = await uploaded('30-training-sets/valid_one_class.zip');
  const spec = {
    metrics: ['kappa', 'recall'],
    phases: cycle(2),
    callbacks: { early_stopping: { monitor: 'kappa' } },
  };
  const { job } = await finish(dataset, spec);
  assert.deepEqual([job.state, job.metrics.length], ['succeeded', 2]);
  const { metrics } = await modelOf(job.model);
  const said = job.warnings.join('\n');
  assert.match(said, /1 of 2 classes have no validation image.*"b"/);
  if (metrics.kappa === null) assert.match(said, /kappa is not defined/);
  assert.ok(typeof metrics.recall === 'number');
});

test('auto from three points is refused when it is sent; on a flat curve it takes a rate or says why not', {
  skip,
}, async () => {
  const dataset = await uploaded('30-training-sets/flat.zip');
  const phases = (num_it: number) => [{ type: 'lr_find', num_it }, ...cycle(1, 'auto')];
  const refused = await submit(dataset, { phases: phases(8) });
  assert.deepEqual([refused.code, refused.errors[0]?.path], ['invalid_spec', 'phases.0.num_it']);
  const { job, events } = await finish(dataset, { phases: phases(30) });
  if (job.state === 'succeeded') {
    const started = events.find(({ type }) => type === 'phase.started');
    assert.ok(started?.type === 'phase.started' && started.max_lr.every((lr) => lr > 0));
  } else {
    assert.deepEqual([job.state, job.error?.code], ['failed', 'no_suggestion']);
    assert.match(job.error?.message ?? '', /flat|points/);
  }
});

test('the model’s classes are in the order of the data set’s, by code point', {
  skip,
}, async () => {
  const dataset = await stack.prepared(bytesOf('30-training-sets/emoji_classes.zip'));
  const { job } = await finish(dataset.id, { phases: cycle(1) });
  assert.equal(job.state, 'succeeded');
  assert.deepEqual((await modelOf(job.model)).classes, dataset.classes);
  assert.deepEqual(dataset.classes, ['犬', 'ﾈｺ', '😀']);
});

test('metrics on a test split are the model’s own, and are refused where there is none', {
  skip,
}, async () => {
  const evaluation = { test: true };
  const dataset = await uploaded('03-train-test-no-val/train_test.zip');
  const { job } = await finish(dataset, { evaluation, phases: cycle(1) });
  assert.equal(job.state, 'succeeded');
  const card = await modelOf(job.model);
  assert.ok(typeof card.test_metrics?.accuracy === 'number' && 'valid_loss' in card.metrics);
  const report = await stack.call<{ images: number; confusion_matrix: number[][] }>(
    'GET',
    `/v1/jobs/${job.id}/artifacts/test.json`,
  );
  assert.equal(report.images, 8);
  assert.equal(
    report.confusion_matrix.flat().reduce((sum, n) => sum + n, 0),
    8,
  );
  const without = await uploaded('30-training-sets/two.zip');
  assert.equal((await submit(without, { evaluation })).code, 'no_test_split');
});
