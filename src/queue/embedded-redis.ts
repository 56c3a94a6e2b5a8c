// A private redis-server for the stack in one command: append-only under DATA_DIR, on a free port of the
// loopback. One that an earlier, killed stack left behind is ended first, so that the data has one owner.

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { problem } from '../domain/problem.ts';
import { freePort } from './free-port.ts';

export type EmbeddedRedis = { url: string; pid: number | undefined; close(): Promise<void> };

const programs = ['redis-server', 'valkey-server'];
const howToGet =
  process.platform === 'darwin'
    ? 'brew install redis'
    : 'sudo apt-get install -y --no-install-recommends redis-server';

/** @throws Problem `queue_unavailable` when no redis-server is installed, with the command that installs it */
export async function startEmbeddedRedis(dataDir: string): Promise<EmbeddedRedis> {
  const program = programs.find(
    (name) => !spawnSync(name, ['--version'], { stdio: 'ignore' }).error,
  );
  if (!program) {
    throw problem('queue_unavailable', `No redis-server was found (tried ${programs.join(', ')})`, {
      hint: `Install it (${howToGet}), or set REDIS_URL to a Redis that you run.`,
    });
  }
  const dir = join(dataDir, 'redis');
  await mkdir(dir, { recursive: true });
  const pidFile = join(dir, 'redis.pid');
  await endLeftover(pidFile);
  const port = await freePort();
  const server = spawn(
    program,
    [
      ...['--port', String(port), '--bind', '127.0.0.1', '--dir', dir, '--pidfile', pidFile],
      ...['--appendonly', 'yes', '--save', '', '--maxmemory-policy', 'noeviction'],
      ...['--loglevel', 'warning', '--daemonize', 'no'],
    ],
    // a terminal's Ctrl-C reaches the whole group: Redis must outlive the drain
    { stdio: 'ignore', detached: true },
  );
  const url = `redis://127.0.0.1:${port}`;
  const exited = once(server, 'exit');
  await answers(url, server);
  return {
    url,
    pid: server.pid,
    async close() {
      server.kill('SIGTERM');
      await exited;
      await rm(pidFile, { force: true });
    },
  };
}

async function answers(url: string, server: { exitCode: number | null }): Promise<void> {
  const redis = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: null });
  redis.on('error', () => {});
  try {
    const begin = Date.now();
    while (server.exitCode === null && Date.now() - begin < 10_000) {
      // an append-only file that is still being read answers LOADING
      const pong = await Promise.race([redis.ping().catch(() => null), delay(500, null)]);
      if (pong === 'PONG') return;
      await delay(20);
    }
    throw problem('queue_unavailable', 'The embedded redis-server did not start within 10 s');
  } finally {
    redis.disconnect();
  }
}

async function endLeftover(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  if (!pid) return;
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  if (process.platform === 'linux' && !/redis|valkey/.test(command)) return;
  try {
    process.kill(pid, 'SIGTERM');
    for (let i = 0; i < 250; i++) {
      process.kill(pid, 0);
      await delay(20);
    }
  } catch {
    // ESRCH: it is gone
  }
}
