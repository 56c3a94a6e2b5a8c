import type { Records } from '../store/records.ts';
import type { Queues } from './queues.ts';

/** Enqueues all unfinished work that the queues do not hold; returns its ids. */
async function reconcile(records: Records, queues: Queues): Promise<string[]> {
  const found: string[] = [];
  for (const kind of ['ingest', 'training'] as const) {
    for await (const id of records.active(kind)) {
      if (await queues.holds(kind, id)) continue;
      const job = kind === 'training' ? await records.getJob(id) : null;
      await queues.enqueue(kind, id, { priority: job?.type === 'train' ? job.spec.priority : 0 });
      found.push(id);
    }
  }
  return found;
}

/** Reconciles now and again and again; stop() ends it. */
export function startReconciler(
  records: Records,
  queues: Queues,
  options: { everyMs: number; onFound: (ids: string[]) => void; onError: (error: unknown) => void },
): { stop(): void } {
  let running = false;
  const run = () => {
    if (running) return;
    running = true;
    reconcile(records, queues)
      .then((ids) => ids.length > 0 && options.onFound(ids), options.onError)
      .finally(() => {
        running = false;
      });
  };
  run();
  const timer = setInterval(run, options.everyMs);
  return { stop: () => clearInterval(timer) };
}
