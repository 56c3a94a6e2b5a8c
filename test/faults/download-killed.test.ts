// A worker dies in the middle of fetching a pretrained body: the next one fetches the rest.

import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { newDataDir, Stack } from '../e2e/running-stack.ts';
import { tinyArchive } from '../e2e/tiny-data.ts';
import { torchZip } from '../fixtures/torch-file.ts';
import { torchvisionBody } from '../fixtures/torchvision-body.ts';
import { mirrorEntry, startZooServer, type ZooServer } from '../fixtures/zoo-server.ts';

const name = 'resnet18-0123abcd.pth';
const half = 20_000_000;
const body = torchZip(torchvisionBody('resnet18'));

let server: ZooServer;
let stack: Stack;
before(async () => {
  const index = [mirrorEntry('imagenet', 'resnet18', name, body)];
  server = await startZooServer({ 'zoo.json': Buffer.from(JSON.stringify(index)), [name]: body });
  stack = await Stack.start(await newDataDir(), { ZOO_URL: server.url });
});
after(async () => {
  await stack.stop();
  await server.close();
});

test('a worker killed with -9 in the middle of a download: the job goes on with the rest of the file', async () => {
  const dataset = (await stack.prepared(await tinyArchive())).id;
  server.mishaps.push({ kind: 'stalls', after: half });
  const { id } = await stack.call('POST', '/v1/jobs', { dataset });
  while ((await partBytes()) < half / 2) await delay(50);
  process.kill(await stack.workerPid(), 'SIGKILL');
  const { job } = await stack.finish(id);
  assert.deepEqual([job.state, job.error, job.body], ['succeeded', null, name]);
  const asked = server.requests.filter(({ path }) => path === name);
  assert.deepEqual(
    asked.map(({ status }) => status),
    [200, 206],
  );
  const from = Number(/\d+/.exec(asked[1]?.range ?? '')?.[0]);
  assert.ok(from >= half / 2 && from <= half, `asked from byte ${from}`);
});

/** How much of the file lies on the worker's disk, unfinished. */
async function partBytes(): Promise<number> {
  const dir = join(stack.dataDir, 'zoo');
  const names = await readdir(dir).catch(() => []);
  const sizes = names
    .filter((file) => file.includes(name) && file !== name)
    .map((file) => stat(join(dir, file)));
  return Math.max(0, ...(await Promise.all(sizes)).map(({ size }) => size));
}
