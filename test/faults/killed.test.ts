// What was acknowledged is never lost: processes die by kill -9, Redis loses everything.

import assert from 'node:assert/strict';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { newDataDir, Stack } from '../e2e/running-stack.ts';
import { tinyArchive, tinySpec } from '../e2e/tiny-data.ts';

let stack: Stack;
let dataset = '';
before(async () => {
  stack = await Stack.start(await newDataDir());
  dataset = (await stack.prepared(await tinyArchive())).id;
});
after(() => stack.stop());

const submit = async (epochs: number) =>
  (await stack.call('POST', '/v1/jobs', tinySpec(dataset, { epochs }))).id;
/** Well within the second phase: the checkpoint of its beginning is written. */
const untilTraining = (job: string) =>
  stack.follow(job, (event) => event.type === 'step' && event.phase === 1);

test('a worker killed with -9 in the middle of training: the job finishes from its checkpoint', async () => {
  const id = await submit(8);
  await untilTraining(id);
  process.kill(await stack.workerPid(), 'SIGKILL');
  const { job, events } = await stack.finish(id);
  assert.equal(job.state, 'succeeded');
  assert.equal(job.attempts.length, 2);
  const resumed = events.find((event) => event.type === 'resumed');
  assert.ok(resumed?.type === 'resumed' && resumed.phase === 1, JSON.stringify(resumed));
  assert.equal(events.filter(({ type }) => type === 'lr_find.finished').length, 1);
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 1),
  );
  const rows = job.metrics.map(({ phase, epoch }) => `${phase}.${epoch}`);
  assert.deepEqual(
    rows,
    [...Array(8).keys()].map((e) => `1.${e}`).concat([...Array(8).keys()].map((e) => `2.${e}`)),
  );
});

test('the stack killed with -9: data sets, jobs and models are there after the next start, and the job goes on', async () => {
  const done = await submit(1);
  const { job: before9 } = await stack.finish(done);
  const id = await submit(8);
  await untilTraining(id);
  await stack.kill();
  stack = await Stack.start(stack.dataDir);
  assert.equal((await stack.call('GET', `/v1/datasets/${dataset}`)).state, 'ready');
  assert.deepEqual(await stack.call('GET', `/v1/jobs/${done}`), before9);
  assert.equal((await stack.call('GET', `/v1/models/${before9.model}`)).id, before9.model);
  const { job } = await stack.finish(id);
  assert.equal(job.state, 'succeeded');
});

test('Redis has lost everything: what waits and what runs is found in the store again', async () => {
  const running = await submit(8);
  const waiting = await submit(1);
  await untilTraining(running);
  const redisPid = Number(await readFile(join(stack.dataDir, 'redis', 'redis.pid'), 'utf8'));
  await stack.kill();
  process.kill(redisPid, 'SIGKILL');
  await rm(join(stack.dataDir, 'redis'), { recursive: true });
  stack = await Stack.start(stack.dataDir);
  assert.equal((await stack.finish(running)).job.state, 'succeeded');
  assert.equal((await stack.finish(waiting)).job.state, 'succeeded');
});

test('Ctrl-C drains: the job waits for the next start, and nothing is trained twice but the open steps', async () => {
  const id = await submit(8);
  await untilTraining(id);
  assert.equal(await stack.stop(), 0);
  stack = await Stack.start(stack.dataDir);
  const { job, events } = await stack.finish(id);
  assert.equal(job.state, 'succeeded');
  assert.deepEqual(
    job.attempts.map(({ end }) => end),
    ['interrupted', 'finished'],
  );
  assert.ok(events.some(({ type }) => type === 'resumed'));
});
