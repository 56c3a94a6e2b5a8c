// The first request: the default spec, no settings but a mirror, and the body is fetched, frozen, and trained on.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { fitWeights } from '../../src/models/fit-weights.ts';
import { readWeights } from '../../src/models/weights/weights-file.ts';
import { torchLegacy, torchZip } from '../fixtures/torch-file.ts';
import { torchvisionBody } from '../fixtures/torchvision-body.ts';
import { mirrorEntry, startZooServer, type ZooServer } from '../fixtures/zoo-server.ts';
import { newDataDir, Stack } from './running-stack.ts';
import { tinyArchive } from './tiny-data.ts';

const imagenet = torchZip(torchvisionBody('resnet18'));
const own = torchLegacy(torchvisionBody('squeezenet1_1'));

let server: ZooServer;
let stack: Stack;
let dataset = '';
before(async () => {
  const index = [
    mirrorEntry('imagenet', 'resnet18', 'resnet18-0123abcd.pth', imagenet),
    mirrorEntry('shop-floor', 'squeezenet1_1', 'shop-floor.pth', own),
  ];
  server = await startZooServer({
    'zoo.json': Buffer.from(JSON.stringify(index)),
    'resnet18-0123abcd.pth': imagenet,
    'shop-floor.pth': own,
  });
  stack = await Stack.start(await newDataDir(), { ZOO_URL: server.url });
  dataset = (await stack.prepared(await tinyArchive())).id;
});
after(async () => {
  await stack.stop();
  await server.close();
});

type Zoo = {
  data: { name: string; arch: string; file: string; at_hand: boolean; licence: string }[];
};

test('the zoo says what can be had and what is here', async () => {
  const { data } = await stack.call<Zoo>('GET', '/v1/zoo');
  const resnet34 = data.find(({ name }) => name === 'resnet34');
  assert.deepEqual(
    [resnet34?.file, resnet34?.licence, resnet34?.at_hand],
    ['resnet34-b627a593.pth', 'BSD-3-Clause', false],
  );
});

test('the default spec succeeds: the body comes through a cut download, and is frozen in phase 1', async () => {
  server.mishaps.push({ kind: 'cut', after: 5_000_000 });
  const { id } = await stack.call('POST', '/v1/jobs', { dataset });
  const { job, events } = await stack.finish(id);
  assert.deepEqual([job.state, job.error], ['succeeded', null]);
  assert.equal(job.body, 'resnet18-0123abcd.pth');
  const downloads = events.flatMap((event) => (event.type === 'download' ? [event] : []));
  assert.ok(downloads.length >= 2);
  assert.equal(downloads.at(-1)?.bytes, imagenet.length);
  const asked = server.requests.filter(({ path }) => path === 'resnet18-0123abcd.pth');
  assert.deepEqual(
    asked.map(({ status }) => status),
    [200, 206],
  );
  const phases = events.flatMap((event) => (event.type === 'phase.started' ? [event] : []));
  assert.deepEqual(
    phases.map(({ trainable, parameters }) => trainable < parameters),
    [true, false],
  );
  const { data } = await stack.call<Zoo>('GET', '/v1/zoo');
  assert.ok(data.some(({ name, at_hand }) => name === 'imagenet' && at_hand));
});

test('a frozen phase leaves the convolutions of the fetched body as they came, to the bit', async () => {
  const { id } = await stack.call('POST', '/v1/jobs', {
    dataset,
    arch: 'squeezenet1_1',
    pretrained: 'shop-floor',
    data: { batch_size: 16, size: 64 },
    phases: [{ type: 'fit_one_cycle', epochs: 1, max_lr: 3e-3, freeze: true }],
  });
  const { job } = await stack.finish(id);
  assert.deepEqual([job.state, job.error], ['succeeded', null]);
  const answer = await stack.fetch(`/v1/models/${job.model}/files/safetensors`);
  const made = await readWeights(Buffer.from(await answer.arrayBuffer()));
  const values = async (tensors: typeof made.tensors) =>
    [...fitWeights('squeezenet1_1', tensors).body].map(([name, tensor]) => [name, tensor.values()]);
  assert.deepEqual(
    (await values(made.tensors)).sort(),
    (await values((await readWeights(own)).tensors)).sort(),
  );
});
