// The API over a store in a temporary folder and a Redis of its own; ended after the tests of a file.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Logger, pino } from 'pino';
import supertest from 'supertest';
import { buildApp } from '../../src/api/app.ts';
import { type Patience, patience } from '../../src/api/patience.ts';
import { createPredictor, type PredictorOptions } from '../../src/predict/predictor.ts';
import { startEmbeddedRedis } from '../../src/queue/embedded-redis.ts';
import { LiveEvents } from '../../src/queue/live-events.ts';
import { Queues } from '../../src/queue/queues.ts';
import { FileStore } from '../../src/store/file-store.ts';
import { Records } from '../../src/store/records.ts';

export const ann = 'Bearer key-of-ann-0123456789';
export const bob = 'Bearer key-of-bob-0123456789';

export async function startTestApi(
  options: {
    maxUploadBytes?: number;
    patience?: Partial<Patience>;
    logger?: Logger;
    predictor?: Partial<PredictorOptions>;
  } = {},
) {
  const dir = await mkdtemp(join(tmpdir(), 'onecycle-api-'));
  const redis = await startEmbeddedRedis(dir);
  const queues = await Queues.connect(redis.url);
  const records = new Records(new FileStore(join(dir, 'store')));
  const predictor = createPredictor({
    threads: 1,
    coresPerThread: 1,
    imagesMax: 64,
    cacheBytes: 2 ** 28,
    ...options.predictor,
  });
  const app = await buildApp({
    predictor,
    records,
    queues,
    liveEvents: new LiveEvents(queues.redis),
    apiKeys: [
      { owner: 'ann', key: ann.slice(7) },
      { owner: 'bob', key: bob.slice(7) },
    ],
    maxUploadBytes: options.maxUploadBytes ?? 2 ** 30,
    zooDir: join(dir, 'zoo'),
    codeVersion: '0.0.0-test',
    logger: options.logger ?? pino({ level: process.env.TEST_LOG ?? 'silent' }),
    patience: { ...patience, ...options.patience },
  });
  await app.ready();
  const request = supertest(app.server);
  return {
    app,
    dir,
    redis,
    queues,
    records,
    request,
    as: (key: string) => ({
      get: (path: string) => request.get(path).set('authorization', key),
      head: (path: string) => request.head(path).set('authorization', key),
      post: (path: string) => request.post(path).set('authorization', key),
    }),
    async close() {
      await app.close();
      await predictor.close();
      await queues.close();
      await redis.close();
      await rm(dir, { recursive: true, force: true });
    },
  };
}
export type TestApi = Awaited<ReturnType<typeof startTestApi>>;
