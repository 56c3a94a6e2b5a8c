import { setTimeout as delay } from 'node:timers/promises';
import { DelayedError, type Job, WaitingError, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { z } from 'zod';
import type { QueueKind, Queues } from './queues.ts';

/**
 * What a handler did. `later`: nothing to do yet, come back after `delayMs`. `interrupted`: stopped half-way,
 * somebody else should go on at once.
 */
export type Outcome =
  | { outcome: 'done' }
  | { outcome: 'later'; delayMs: number }
  | { outcome: 'interrupted' };

/** `signal` aborts when the lock is lost: another worker may have the job by then. */
export type Handler = (id: string, leave: { lost: AbortSignal }) => Promise<Outcome>;

const Payload = z.object({ id: z.string() });
/** Above any outage of Redis that should not cost an attempt, below the minute in which a job moves on. */
const lockMs = 30_000;
const stalledEveryMs = 10_000;

/** Takes jobs of a queue one after the other; close() waits for the handler that runs. */
export function consume(
  queues: Queues,
  kind: QueueKind,
  handler: Handler,
  options: { onError: (error: Error) => void },
): { close(): Promise<void> } {
  const connection = new Redis(queues.redisUrl, { maxRetriesPerRequest: null });
  connection.on('error', () => {});
  const worker = new Worker(
    kind,
    async (job: Job<unknown>, token?: string) => {
      const { id } = Payload.parse(job.data);
      const lost = new AbortController();
      const onLost = (jobs: string[]) => {
        if (jobs.includes(String(job.id))) lost.abort();
      };
      worker.on('lockRenewalFailed', onLost);
      try {
        const end = await handler(id, { lost: lost.signal });
        if (end.outcome === 'done') return;
        if (end.outcome === 'interrupted') {
          await job.moveToWait(token);
          throw new WaitingError();
        }
        await job.moveToDelayed(Date.now() + end.delayMs, token);
        throw new DelayedError();
      } finally {
        worker.off('lockRenewalFailed', onLost);
      }
    },
    {
      connection,
      prefix: 'onecycle',
      concurrency: 1,
      lockDuration: lockMs,
      stalledInterval: stalledEveryMs,
      // a job whose worker died is taken up again as often as it takes; the supervisor counts crashes
      maxStalledCount: 1000,
    },
  );
  worker.on('error', options.onError);
  return {
    async close() {
      await Promise.race([worker.close(), delay(28_000, undefined, { ref: false })]);
      connection.disconnect();
    },
  };
}
