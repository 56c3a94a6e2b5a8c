import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startEmbeddedRedis } from '../../src/queue/embedded-redis.ts';
import { newDataDir } from '../e2e/running-stack.ts';

const gigabyte = 2 ** 30;
const chunk = Buffer.alloc(2 ** 20, 0x5a);

test('an upload of 1 GB is streamed: the API stays under 200 MB', {
  skip: process.platform !== 'linux' && 'reads /proc',
}, async () => {
  const dataDir = await newDataDir();
  const redis = await startEmbeddedRedis(dataDir);
  const api = spawn(process.execPath, ['--import', 'tsx', 'src/server.ts'], {
    cwd: fileURLToPath(new URL('../..', import.meta.url)),
    env: {
      ...process.env,
      DATA_DIR: dataDir,
      PORT: '0',
      REDIS_URL: redis.url,
      API_KEYS: 'ann:0123456789abcdef',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const [said] = (await once(api.stdout, 'data')) as [Buffer];
    const url = /http:\/\/[\d.:]+/.exec(said.toString())?.[0];
    async function* bytes() {
      yield Buffer.from([0x1f, 0x8b, 8, 0]);
      for (let sent = 0; sent < gigabyte; sent += chunk.length) yield chunk;
    }
    const response = await fetch(`${url}/v1/datasets`, {
      method: 'POST',
      headers: { authorization: 'Bearer 0123456789abcdef' },
      body: bytes() as unknown as ReadableStream,
      duplex: 'half',
    } as RequestInit);
    const answer = (await response.json()) as { bytes: number };
    assert.deepEqual([response.status, answer.bytes], [201, gigabyte + 4]);
    const status = await readFile(`/proc/${api.pid}/status`, 'utf8');
    const peakKb = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
    assert.ok(peakKb > 0 && peakKb < 200_000, `peak resident memory was ${peakKb} kB`);
  } finally {
    const gone = once(api, 'exit');
    api.kill('SIGTERM');
    await gone;
    await redis.close();
    await rm(dataDir, { recursive: true, force: true });
  }
});
