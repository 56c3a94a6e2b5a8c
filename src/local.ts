// The whole stack in one command: a private Redis, the API in this process, one worker beside it.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ConfigError, childEnvironment, loadConfig } from './config.ts';
import { Problem } from './domain/problem.ts';
import { createLogger } from './logger.ts';
import { startEmbeddedRedis } from './queue/embedded-redis.ts';
import { Queues } from './queue/queues.ts';
import { removeStackFile, takeOver, writeStackFile } from './stack-file.ts';
import { startApi } from './start-api.ts';

/** A drain takes under 30 s; a worker that takes longer is wedged. */
const drainMsMax = 32_000;
const restartAfterMs = 1000;
const workerPath = fileURLToPath(
  new URL(`../workers/main${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url),
);

async function startStack(): Promise<void> {
  const config = loadConfig();
  const logger = createLogger(config.logLevel, 'onecycle');
  await mkdir(config.dataDir, { recursive: true });
  await takeOver(config.dataDir);
  const embedded = config.redisUrl === null ? await startEmbeddedRedis(config.dataDir) : null;
  const redisUrl = embedded?.url ?? config.redisUrl ?? '';
  let stopping = false;
  let worker: ChildProcess | null = null;

  const startWorker = async () => {
    if (embedded) await releaseActive(redisUrl);
    const child = fork(workerPath, [], { env: childEnvironment({ REDIS_URL: redisUrl }) });
    worker = child;
    if (embedded) child.send({ embeddedRedisPid: embedded.pid });
    child.once('exit', (code, signal) => {
      if (stopping) return;
      logger.error({ code, signal }, 'worker died, starting another');
      setTimeout(() => {
        if (!stopping) startWorker().then(note, fail);
      }, restartAfterMs);
    });
    await Promise.race([once(child, 'message'), once(child, 'exit')]);
  };
  const note = () =>
    writeStackFile(config.dataDir, {
      pid: process.pid,
      worker_pid: worker?.pid ?? null,
      url: api.url,
    });
  const fail = (error: unknown) => logger.error({ error }, 'the worker could not be started');

  const stop = async (reason: string) => {
    if (stopping) return process.exit(1);
    stopping = true;
    logger.info({ reason }, 'draining; once more to stop at once');
    if (worker && worker.exitCode === null && worker.signalCode === null) {
      const gone = once(worker, 'exit');
      worker.kill('SIGTERM');
      await Promise.race([gone, delay(drainMsMax, undefined, { ref: false })]);
      worker.kill('SIGKILL');
    }
    await api.close();
    await embedded?.close();
    await removeStackFile(config.dataDir);
    logger.info('stopped');
    process.exit(0);
  };

  const api = await startApi(config, redisUrl, logger).catch(async (error: unknown) => {
    await embedded?.close();
    throw error;
  });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void stop(signal));
  await startWorker();
  await note();
  logger.info({ url: api.url, dataDir: config.dataDir }, 'ready');
}

/** No other worker uses the embedded Redis, so whatever it says is being worked on belonged to a dead one. */
async function releaseActive(redisUrl: string): Promise<void> {
  const queues = await Queues.connect(redisUrl);
  await queues.releaseActive();
  await queues.close();
}

startStack().catch((error: unknown) => {
  const known = error instanceof ConfigError || error instanceof Problem;
  const { code, port } = error as { code?: string; port?: number };
  const said =
    code === 'EADDRINUSE'
      ? `Port ${port} is taken: set PORT to another one, 0 for any that is free.`
      : known
        ? `${(error as Error).message}${error instanceof Problem ? `. ${error.hint}` : ''}`
        : (error as Error).stack;
  process.stderr.write(`${said}\n`);
  process.exit(1);
});
