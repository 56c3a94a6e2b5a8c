import type { Logger } from 'pino';
import type { Predictor } from '../predict/predictor.ts';
import type { LiveEvents } from '../queue/live-events.ts';
import type { Queues } from '../queue/queues.ts';
import type { Records } from '../store/records.ts';
import type { OwnedKey } from './auth.ts';
import type { Patience } from './patience.ts';

/** What the routes are handed. */
export type ApiDeps = {
  records: Records;
  queues: Queues;
  liveEvents: LiveEvents;
  predictor: Predictor;
  apiKeys: readonly OwnedKey[];
  maxUploadBytes: number;
  /** Where a worker on this machine keeps pretrained bodies. */
  zooDir: string;
  codeVersion: string;
  logger: Logger;
  /** How long slow clients are waited for; unset: the default. */
  patience?: Patience;
};
