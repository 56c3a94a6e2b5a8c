import type { FastifyInstance } from 'fastify';
import { Problem, problem } from '../../domain/problem.ts';
import type { ApiDeps } from '../deps.ts';

/** Liveness and readiness; without a key, for whoever watches the process. */
export async function systemRoutes(
  app: FastifyInstance,
  { records, queues, codeVersion }: ApiDeps,
): Promise<void> {
  app.get('/healthz', async () => ({ status: 'ok', version: codeVersion }));

  app.get('/readyz', async () => {
    const [store, redis] = await Promise.all([
      answer(() => records.store.check()),
      answer(() => queues.check()),
    ]);
    if (store !== 'ok') throw problem('storage_unavailable', store);
    if (redis !== 'ok') throw problem('queue_unavailable', redis);
    return { status: 'ok', checks: { store, redis } };
  });
}

async function answer(check: () => Promise<void>): Promise<string> {
  try {
    await check();
    return 'ok';
  } catch (error) {
    if (error instanceof Problem) return error.message;
    return `not reachable: ${(error as Error).message}`;
  }
}
