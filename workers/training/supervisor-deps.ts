import type { Logger } from 'pino';
import type { LiveEvents } from '../../src/queue/live-events.ts';
import type { Records } from '../../src/store/records.ts';
import type { Scratch } from '../scratch.ts';
import type { EngineChoice } from './trainer-messages.ts';

/** What the supervisor of a job is handed by its worker. */
export type SupervisorDeps = {
  records: Records;
  liveEvents: Pick<LiveEvents, 'publish'>;
  scratch: Scratch;
  zooDir: string;
  zooUrl: string | null;
  engine: EngineChoice;
  codeVersion: string;
  logger: Logger;
  logLevel: string;
  /** Calls the listener whenever the API says that control.json of the job has changed. */
  onControl: (jobId: string, listener: () => void) => () => void;
  /** Another trainer program, for tests of what happens when it misbehaves. */
  trainerPath?: string;
};
