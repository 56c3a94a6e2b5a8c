import type { Logger } from 'pino';
import { buildApp } from './api/app.ts';
import { firstKey } from './api/first-key.ts';
import type { Config } from './config.ts';
import { createPredictor, type PredictorOptions } from './predict/predictor.ts';
import { LiveEvents } from './queue/live-events.ts';
import { Queues } from './queue/queues.ts';
import { openStore } from './store/open-store.ts';
import { Records } from './store/records.ts';
import { codeVersion } from './version.ts';

const coresPerPrediction = 4;
/** Some two seconds of ResNet-18 at 224 px on two cores. */
const imagesWaitingMax = 64;

export type RunningApi = { url: string; close(): Promise<void> };

/** Opens store and queues and listens. @throws when the port is taken */
export async function startApi(
  config: Config,
  redisUrl: string,
  logger: Logger,
): Promise<RunningApi> {
  const store = openStore(config.storageUrl, {
    endpoint: config.s3Endpoint,
    region: config.s3Region,
  });
  const queues = await Queues.connect(redisUrl);
  const predictor = createPredictor(predictorOptions(config));
  const app = await buildApp({
    records: new Records(store),
    queues,
    liveEvents: new LiveEvents(queues.redis),
    predictor,
    apiKeys: config.apiKeys ?? [await keyOf(config, logger)],
    maxUploadBytes: config.maxUploadBytes,
    zooDir: config.zooDir,
    codeVersion: codeVersion(),
    logger,
  });
  const close = async () => {
    await app.close();
    await predictor.close();
    await queues.close();
    await store.close();
  };
  try {
    const url = await app.listen({ port: config.port, host: config.host });
    return { url, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Few threads of several cores: one request is then answered about as fast as the machine can. */
function predictorOptions({ threads, predictCacheBytes }: Config): PredictorOptions {
  const pool = Math.max(1, Math.floor(threads / coresPerPrediction));
  return {
    threads: pool,
    coresPerThread: Math.max(1, Math.floor(threads / pool)),
    imagesMax: imagesWaitingMax,
    cacheBytes: predictCacheBytes,
  };
}

async function keyOf(config: Config, logger: Logger) {
  const { key, path, made } = await firstKey(config.dataDir);
  // said once: whoever starts the stack for the first time needs it, and the file keeps it
  if (made) logger.info({ apiKey: key.key, path }, 'API key made');
  return key;
}
