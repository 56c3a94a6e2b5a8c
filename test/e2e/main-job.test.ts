import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { InferenceSession } from 'onnxruntime-node';
import sharp from 'sharp';
import { Interpretation } from '../../src/domain/interpretation.ts';
import { readSafetensors } from '../../src/models/weights/safetensors.ts';
import { fetchedBy, textOf } from '../plots/page.ts';
import { newDataDir, Stack } from './running-stack.ts';
import { tinyArchive, tinySpec } from './tiny-data.ts';

let stack: Stack;
let dataset = '';
let model = '';
before(async () => {
  stack = await Stack.start(await newDataDir());
});
after(() => stack.stop());

test('the API key that the first start made is for its owner’s eyes only', async () => {
  const { mode } = await stat(join(stack.dataDir, 'api-key'));
  assert.equal(mode & 0o777, 0o600);
});

test('an upload becomes a data set with its classes and counts', async () => {
  const ready = await stack.prepared(await tinyArchive());
  assert.equal(ready.state, 'ready');
  assert.deepEqual(ready.classes, ['bright', 'dark']);
  assert.deepEqual(ready.counts, {
    train: { bright: 32, dark: 32 },
    valid: { bright: 12, dark: 12 },
    test: {},
    unsplit: {},
  });
  dataset = ready.id;
});

test('a job runs to a model, with every number and plot that made it', async () => {
  const { id } = await stack.call('POST', '/v1/jobs', tinySpec(dataset));
  const { job, events } = await stack.finish(id);
  assert.deepEqual([job.state, job.terminal, job.error], ['succeeded', true, null]);
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 1),
  );
  const order = events.map(({ type }) => type).filter((type) => !/step$|checkpoint/.test(type));
  assert.deepEqual(order, [
    'queued',
    'started',
    'lr_find.started',
    'lr_find.finished',
    'phase.started',
    'epoch.finished',
    'phase.started',
    'epoch.finished',
    'succeeded',
  ]);
  assert.deepEqual(
    job.transitions.map(({ state }) => state),
    ['queued', 'running', 'succeeded'],
  );
  assert.equal(job.progress?.percent, 100);
  assert.equal(job.body, 'none (random weights)');

  const metrics = await stack.call<{ data: { phase: number; metrics: { accuracy: number } }[] }>(
    'GET',
    `/v1/jobs/${id}/metrics?steps=true`,
  );
  assert.deepEqual(
    metrics.data.map(({ phase }) => phase),
    [1, 2],
  );
  const find = await stack.call<{ lrs: number[]; losses: number[] }>(
    'GET',
    `/v1/jobs/${id}/lr-find`,
  );
  assert.ok(find.lrs.length > 0 && find.lrs.length === find.losses.length);
  const png = Buffer.from(await (await stack.fetch(`/v1/jobs/${id}/lr-find.png`)).arrayBuffer());
  assert.equal(png.subarray(1, 4).toString(), 'PNG');
  const svg = await (await stack.fetch(`/v1/jobs/${id}/lr-find.svg`)).text();
  assert.match(svg, /^<svg/);
  const artifacts = await stack.call<{ data: { name: string }[] }>(
    'GET',
    `/v1/jobs/${id}/artifacts`,
  );
  const plots = ['confusion_matrix', 'class_scores', 'losses', 'lr_find', 'metrics', 'rates'];
  assert.deepEqual(
    artifacts.data.map(({ name }) => name).sort(),
    [
      'history.csv',
      'history.json',
      'interpretation.json',
      'lr_find.json',
      'report.html',
      ...[...plots, 'top_losses'].flatMap((name) => [`${name}.png`, `${name}.svg`]),
    ].sort(),
  );
  for (const { name } of artifacts.data) {
    if (!/\.(svg|png)$/.test(name)) continue;
    const bytes = await (await stack.fetch(`/v1/jobs/${id}/artifacts/${name}`)).arrayBuffer();
    assert.equal((await sharp(Buffer.from(bytes)).metadata()).format, name.split('.').at(-1));
  }
  const told = await stack.call('GET', `/v1/jobs/${id}/interpretation`);
  const { top_losses, confusion_matrix } = Interpretation.parse(told);
  assert.deepEqual([top_losses.length, confusion_matrix.flat().length], [9, 4]);
  const page = await stack.fetch(`/v1/jobs/${id}/report`);
  assert.match(page.headers.get('content-type') ?? '', /^text\/html/);
  assert.match(page.headers.get('content-security-policy') ?? '', /sandbox; default-src 'none'/);
  const report = await page.text();
  assert.deepEqual(fetchedBy(report), []);
  assert.ok(textOf(report).includes(id) && textOf(report).includes(String(job.dataset_digest)));

  model = String(job.model);
  const card = await stack.call<{
    classes: string[];
    provenance: { job: string; dataset_digest: string };
  }>('GET', `/v1/models/${model}`);
  assert.deepEqual(card.classes, ['bright', 'dark']);
  assert.deepEqual([card.provenance.job, card.provenance.dataset_digest], [id, job.dataset_digest]);
  const bytes = Buffer.from(
    await (await stack.fetch(`/v1/models/${model}/files/safetensors`)).arrayBuffer(),
  );
  const { tensors } = readSafetensors(bytes);
  assert.deepEqual(tensors.get('0.0.weight')?.shape, [64, 3, 7, 7]);
  assert.deepEqual(tensors.get('1.8.weight')?.shape, [2, 512]);
  const { data } = await stack.call<{ data: { name: string }[] }>(
    'GET',
    `/v1/models/${model}/files`,
  );
  const names = data.map(({ name }) => name).filter((name) => !/shard/.test(name));
  assert.deepEqual(names.sort(), [
    'README.md',
    'labels.txt',
    'model-card.md',
    'onnx/model.onnx',
    'onnx/preprocess.json',
    'safetensors/model.safetensors',
    'safetensors/preprocess.json',
    'safetensors/torchvision.safetensors',
    'tfjs/model.json',
    'tfjs/preprocess.json',
  ]);
  const onnx = await (await stack.fetch(`/v1/models/${model}/files/onnx`)).arrayBuffer();
  const session = await InferenceSession.create(new Uint8Array(onnx));
  assert.deepEqual(session.outputNames, ['probabilities', 'logits']);
});

test('the unfrozen phase trains each layer group at a rate of its own, the frozen one at a single rate', async () => {
  const { id } = await stack.call('POST', '/v1/jobs', tinySpec(dataset));
  const { events } = await stack.finish(id);
  const phases = events.flatMap((event) => (event.type === 'phase.started' ? [event] : []));
  assert.deepEqual(
    phases.map(({ max_lr }) => new Set(max_lr).size),
    [1, 3],
  );
  const steps = events.flatMap((event) => (event.type === 'step' ? [event] : []));
  for (const { phase, lr } of steps) assert.equal(new Set(lr).size, phase === 1 ? 1 : 3);
  assert.ok(steps.some(({ phase }) => phase === 2));
});

test('the model of an earlier job is the body of the next', async () => {
  const spec = { ...tinySpec(dataset), pretrained: model };
  const { id } = await stack.call('POST', '/v1/jobs', spec);
  const { job } = await stack.finish(id);
  assert.deepEqual([job.state, job.body], ['succeeded', model]);
});

test('a body that is not here ends the job with the file that is wanted and the way to go on', async () => {
  const { id } = await stack.call('POST', '/v1/jobs', { dataset });
  const { job } = await stack.finish(id);
  assert.deepEqual([job.state, job.error?.code], ['failed', 'pretrained_unknown']);
  assert.match(job.error?.message ?? '', /http:\/\/127\.0\.0\.1:9\/resnet18-f37072fd\.pth/);
  assert.match(
    job.error?.hint ?? '',
    /resnet18-f37072fd\.pth into .*zoo \(ZOO_DIR\).*"pretrained": null/,
  );
});

test('an archive that is broken inside becomes a failed data set with the reason, and the stack goes on', async () => {
  const broken = await stack.prepared(gzipSync(Buffer.from('hello')).subarray(0, 20));
  assert.equal(broken.state, 'failed');
  assert.match(String((broken.error as { code: string }).code), /^archive_/);
  assert.equal((await stack.fetch('/readyz')).status, 200);
});

test('a diverging run ends as diverged, with a hint, and without a model', async () => {
  const spec = {
    ...tinySpec(dataset),
    phases: [{ type: 'fit_one_cycle', max_lr: 100, freeze: false }],
  };
  const { id } = await stack.call('POST', '/v1/jobs', spec);
  const { job } = await stack.finish(id);
  assert.deepEqual([job.state, job.error?.code, job.model], ['failed', 'diverged', null]);
  assert.match(job.error?.message ?? '', /step \d+/);
  assert.match(job.error?.hint ?? '', /max_lr/);
});

test('a job is cancelled within a step, and drops its model', async () => {
  const { id } = await stack.call('POST', '/v1/jobs', tinySpec(dataset, { epochs: 200 }));
  await stack.follow(id, ({ type }) => type === 'phase.started');
  const asked = await stack.call('POST', `/v1/jobs/${id}/cancel`);
  assert.equal(asked.state, 'cancelling');
  const { job } = await stack.finish(id);
  assert.deepEqual([job.state, job.model], ['cancelled', null]);
});

test('a second stack on the same folder is refused, and says which one runs', async () => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/local.ts'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: { ...process.env, DATA_DIR: stack.dataDir, PORT: '0' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await once(child, 'exit');
  assert.equal(child.exitCode, 1);
  assert.ok(said.includes(stack.url), said);
});
