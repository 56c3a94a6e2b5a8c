// The API as a process of its own: REDIS_URL names its Redis, workers run elsewhere.

import { ConfigError, loadConfig } from './config.ts';
import { createLogger } from './logger.ts';
import { startApi } from './start-api.ts';

try {
  const config = loadConfig();
  if (config.redisUrl === null) {
    throw new ConfigError([
      'REDIS_URL: expected redis://host:port; `npm start` brings its own Redis',
    ]);
  }
  const logger = createLogger(config.logLevel, 'api');
  const api = await startApi(config, config.redisUrl, logger);
  logger.info({ url: api.url }, 'ready');
  const stop = (signal: NodeJS.Signals) => {
    logger.info({ signal }, 'stopping');
    api.close().then(
      () => process.exit(0),
      (error: unknown) => {
        logger.error({ error }, 'stopped badly');
        process.exit(1);
      },
    );
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
} catch (error) {
  process.stderr.write(
    `${error instanceof ConfigError ? error.message : (error as Error).stack}\n`,
  );
  process.exit(1);
}
