// A worker process: takes uploads and training jobs from the queues, one of each at a time. SIGTERM drains it.

import { join } from 'node:path';
import { ConfigError, loadConfig } from '../src/config.ts';
import { createLogger } from '../src/logger.ts';
import { consume } from '../src/queue/consumer.ts';
import { LiveEvents } from '../src/queue/live-events.ts';
import { Queues } from '../src/queue/queues.ts';
import { startReconciler } from '../src/queue/reconcile.ts';
import { openStore } from '../src/store/open-store.ts';
import { Records } from '../src/store/records.ts';
import { codeVersion } from '../src/version.ts';
import { importModel } from './import-model.ts';
import { ingest } from './ingest.ts';
import { Scratch } from './scratch.ts';
import { supervise } from './training/supervisor.ts';
import type { SupervisorDeps } from './training/supervisor-deps.ts';

const reconcileEveryMs = 60_000;

async function startWorker(): Promise<void> {
  const config = loadConfig();
  if (config.redisUrl === null) {
    throw new ConfigError([
      'REDIS_URL: expected redis://host:port; `npm start` brings its own Redis',
    ]);
  }
  const logger = createLogger(config.logLevel, 'worker');
  const store = openStore(config.storageUrl, {
    endpoint: config.s3Endpoint,
    region: config.s3Region,
  });
  const records = new Records(store);
  const queues = await Queues.connect(config.redisUrl);
  const scratch = new Scratch(join(config.dataDir, 'scratch'));
  const deps: SupervisorDeps = {
    records,
    liveEvents: new LiveEvents(queues.redis),
    scratch,
    zooDir: config.zooDir,
    zooUrl: config.zooUrl,
    engine: { engine: config.engine, precision: config.precision, threads: config.threads },
    codeVersion: codeVersion(),
    logger,
    logLevel: config.logLevel,
    onControl: await controlOf(queues),
  };
  const drain = new AbortController();
  const onError = (error: Error) => logger.warn({ reason: error.message }, 'queue');
  const consumers = [
    consume(
      queues,
      'ingest',
      (id, { lost }) => {
        const signal = AbortSignal.any([drain.signal, lost]);
        // uploads of both kinds are taken in one after the other
        return id.startsWith('mdl_')
          ? importModel(id, deps, { signal })
          : ingest(id, { records, scratch, logger }, { signal });
      },
      { onError },
    ),
    consume(
      queues,
      'training',
      (id, { lost }) => supervise(id, deps, { drain: drain.signal, lost }),
      { onError },
    ),
  ];
  const reconciler = startReconciler(records, queues, {
    everyMs: reconcileEveryMs,
    onFound: (ids) => logger.info({ ids }, 'unfinished work enqueued again'),
    onError: (error) => logger.warn({ error }, 'reconciling failed, trying again in a minute'),
  });

  let embeddedRedisPid: number | null = null;
  const leave = async (reason: string) => {
    if (drain.signal.aborted) return;
    logger.info({ reason }, 'draining');
    reconciler.stop();
    drain.abort();
    await Promise.all(consumers.map((consumer) => consumer.close()));
    await queues.close();
    await store.close();
    // the stack that would have ended its Redis is gone
    if (reason === 'disconnect' && embeddedRedisPid) endProcess(embeddedRedisPid);
    logger.info('drained');
    process.exit(0);
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => void leave(signal));
  process.on('message', (message: { embeddedRedisPid?: number }) => {
    embeddedRedisPid = message.embeddedRedisPid ?? null;
  });
  process.on('disconnect', () => void leave('disconnect'));
  logger.info(
    { pid: process.pid, engine: config.engine, threads: config.threads },
    'worker is ready',
  );
  process.send?.('ready');
}

/** Asks a process to end; one that is gone already is what was wanted. */
function endProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGTERM');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Hands each changed control.json to whoever supervises that job. */
async function controlOf(queues: Queues): Promise<SupervisorDeps['onControl']> {
  const listeners = new Map<string, () => void>();
  await queues.onControl((jobId) => listeners.get(jobId)?.());
  return (jobId, listener) => {
    listeners.set(jobId, listener);
    return () => listeners.delete(jobId);
  };
}

startWorker().catch((error: Error) => {
  process.stderr.write(`${error instanceof ConfigError ? error.message : error.stack}\n`);
  process.exit(1);
});
