import type { FastifyRequest } from 'fastify';
import { Problem } from '../domain/problem.ts';
import type { QueueKind } from '../queue/queues.ts';
import type { ApiDeps } from './deps.ts';

/** Enqueues what is in the store already; while Redis is away that is left to the reconciler. */
export async function enqueueLater(
  { queues }: Pick<ApiDeps, 'queues'>,
  request: FastifyRequest,
  kind: QueueKind,
  id: string,
  options?: { priority: number },
): Promise<void> {
  try {
    await queues.enqueue(kind, id, options);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'queue_unavailable') throw error;
    request.log.warn({ kind, id, reason: error.message }, 'not enqueued, the reconciler will');
  }
}

/** The place in the queue of jobs; unknown while Redis is away. */
export async function queuePosition(
  { queues }: Pick<ApiDeps, 'queues'>,
  request: FastifyRequest,
  id: string,
): Promise<number | null> {
  try {
    return await queues.position(id);
  } catch (error) {
    if (!(error instanceof Problem) || error.code !== 'queue_unavailable') throw error;
    request.log.warn({ jobId: id, reason: error.message }, 'queue position is unknown');
    return null;
  }
}
