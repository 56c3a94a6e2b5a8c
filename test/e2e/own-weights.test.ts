// Weights in: files become models, models become the beginning of jobs, with their body alone or their head too.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { readWeights } from '../../src/models/weights/weights-file.ts';
import { op, torchLegacy, torchZip } from '../fixtures/torch-file.ts';
import { drawn, torchvisionBody } from '../fixtures/torchvision-body.ts';
import { newDataDir, Stack } from './running-stack.ts';
import { tinyArchive } from './tiny-data.ts';

type Model = {
  id: string;
  state: string;
  terminal: boolean;
  code?: string;
  detail?: string;
  classes: string[];
  head: { lin_ftrs: number[] } | null;
  normalize: { mean: number[] } | null;
  provenance: { source: string; format: string; left_out: string[] };
  error: { code: string; message: string } | null;
};

let stack: Stack;
let dataset = '';
before(async () => {
  stack = await Stack.start(await newDataDir());
  dataset = (await stack.prepared(await tinyArchive())).id;
});
after(() => stack.stop());

async function settled(id: string): Promise<Model> {
  for (;;) {
    const model = await stack.call<Model>('GET', `/v1/models/${id}`);
    if (model.terminal) return model;
    await delay(50);
  }
}
async function uploaded(query: string, file: Buffer): Promise<Model> {
  const made = await stack.call<Model>('POST', `/v1/models?${query}`, file);
  assert.equal(made.state, 'processing', JSON.stringify(made));
  return await settled(made.id);
}
async function weightsOf(model: string) {
  const answer = await stack.fetch(`/v1/models/${model}/files/safetensors`);
  const { tensors } = await readWeights(Buffer.from(await answer.arrayBuffer()));
  return new Map(tensors.map(({ name, values }) => [name, values()]));
}

const body = torchvisionBody('squeezenet1_1', 7);
/** One frozen epoch with rates of next to nothing: what is trained stays where it was. */
const still = {
  arch: 'squeezenet1_1',
  data: { batch_size: 16, size: 64 },
  optimizer: { wd: 0 },
  phases: [{ type: 'fit_one_cycle', epochs: 1, max_lr: 1e-30, freeze: true }],
};
/** A one-layer head of fastai's form, as learn.save writes it behind the body. */
function withHead() {
  const saved = new Map([...body].filter(([name]) => name.startsWith('features.')));
  const named = new Map([...saved].map(([name, t]) => [name.replace('features.', '0.0.'), t]));
  for (const part of ['weight', 'bias', 'running_mean', 'running_var']) {
    named.set(`1.2.${part}`, drawn(`bn.${part}`, [1024], 7, 1));
  }
  named.set('1.4.weight', drawn('linear', [2, 1024], 7, 2));
  named.set('1.4.bias', drawn('bias', [2], 7, 3));
  return named;
}

test('torchvision’s weights become a body to train from; what was left out is named', async () => {
  const model = await uploaded('arch=squeezenet1_1&name=mine', torchZip(body));
  assert.deepEqual([model.state, model.classes, model.head], ['ready', [], null]);
  assert.deepEqual(model.normalize?.mean, [0.485, 0.456, 0.406]);
  assert.equal(model.provenance.source, 'uploaded');
  assert.deepEqual(model.provenance.left_out, ['classifier.1.weight', 'classifier.1.bias']);
  const { id } = await stack.call('POST', '/v1/jobs', { dataset, pretrained: model.id, ...still });
  const { job } = await stack.finish(id);
  assert.deepEqual([job.state, job.error, job.body], ['succeeded', null, model.id]);
  const [sent, made] = [await weightsOf(model.id), await weightsOf(job.model ?? '')];
  assert.deepEqual(made.get('0.0.3.squeeze.weight'), sent.get('0.0.3.squeeze.weight'));
});

test('learn.save’s head is kept for its classes, in the one order that classes have', async () => {
  const extra = [op.text('opt'), op.emptyDict];
  const file = torchLegacy(withHead(), { wrap: 'model', extra });
  const form = new FormData();
  // said in the order of the outputs, which is not that of their names
  form.set('classes', 'dark,bright');
  form.set('normalize', 'null');
  form.set('file', new Blob([new Uint8Array(file)]), 'stage-1.pth');
  const answer = await stack.fetch('/v1/models?arch=squeezenet1_1', { method: 'POST', body: form });
  assert.equal(answer.status, 201);
  const model = await settled(((await answer.json()) as Model).id);
  assert.deepEqual([model.state, model.classes], ['ready', ['bright', 'dark']]);
  assert.deepEqual([model.head?.lin_ftrs, model.normalize], [[], null]);
  assert.deepEqual(model.provenance.left_out, ['opt']);
  const { id } = await stack.call('POST', '/v1/jobs', {
    ...still,
    dataset,
    pretrained: model.id,
    head: 'keep',
  });
  const { job } = await stack.finish(id);
  assert.deepEqual([job.state, job.error], ['succeeded', null]);
  const made = await weightsOf(job.model ?? '');
  const sent = withHead().get('1.4.bias');
  const bias = new Float32Array(new Uint8Array(sent?.bytes ?? []).buffer);
  assert.deepEqual([...(made.get('1.4.bias') ?? [])], [bias[1], bias[0]]);
  const without = await stack.call('POST', '/v1/jobs', { ...still, dataset, pretrained: model.id });
  const other = await stack.finish(without.id);
  assert.equal(other.job.state, 'succeeded');
  assert.ok((await weightsOf(other.job.model ?? '')).has('1.8.bias'));
});

test('a head is kept only where the classes agree, and the refusal names those that differ', async () => {
  const model = await uploaded('arch=squeezenet1_1&classes=bright,grey', torchZip(withHead()));
  const spec = { ...still, dataset, pretrained: model.id, head: 'keep' };
  const refusal = await stack.call('POST', '/v1/jobs', spec);
  assert.equal(refusal.code, 'classes_differ');
  assert.match(String(refusal.detail), /has "dark" too; the data set lacks "grey"/);
  const bodyOnly = await uploaded('arch=squeezenet1_1', torchZip(body));
  const none = await stack.call('POST', '/v1/jobs', { ...spec, pretrained: bodyOnly.id });
  assert.equal(none.code, 'classes_differ');
  const random = await stack.call('POST', '/v1/jobs', { ...spec, pretrained: null });
  assert.deepEqual(
    [random.code, (random.errors as { path: string }[])[0]?.path],
    ['invalid_spec', 'head'],
  );
  const other = await stack.call('POST', '/v1/jobs', { ...spec, arch: 'resnet18' });
  assert.equal(other.code, 'pretrained_unknown');
});

test('what does not fit fails with the names, and cannot be trained from', async () => {
  const broken = new Map(body);
  broken.delete('features.0.bias');
  const model = await uploaded('arch=squeezenet1_1', torchZip(broken));
  assert.deepEqual([model.state, model.error?.code], ['failed', 'weights_invalid']);
  assert.match(model.error?.message ?? '', /missing: 0\.0\.0\.bias/);
  const job = await stack.call('POST', '/v1/jobs', { ...still, dataset, pretrained: model.id });
  assert.equal(job.code, 'model_failed');
  const hostile = await uploaded('arch=squeezenet1_1', Buffer.from('cos\nsystem\n'));
  assert.equal(hostile.error?.code, 'weights_invalid');
  const headless = await uploaded('arch=squeezenet1_1&classes=a,b', torchZip(body));
  assert.match(headless.error?.message ?? '', /no head of fastai’s form.*classifier\.1\.weight/);
  const three = await uploaded('arch=squeezenet1_1&classes=a,b,c', torchZip(withHead()));
  assert.match(three.error?.message ?? '', /tells 2 classes apart, 3 were named/);
});

test('what is said wrongly is refused before anything is stored', async () => {
  for (const [query, path] of [
    ['', 'arch'],
    ['arch=vgg16', 'arch'],
    ['arch=resnet18&normalize=sometimes', 'normalize'],
    ['arch=resnet18&classes=a,a', 'classes'],
    ['arch=resnet18&colour=red', ''],
  ] as const) {
    const answer = await stack.call('POST', `/v1/models?${query}`, torchZip(new Map()));
    assert.equal(answer.code, 'invalid_query', query);
    assert.equal((answer.errors as { path: string }[])[0]?.path, path, query);
  }
});
