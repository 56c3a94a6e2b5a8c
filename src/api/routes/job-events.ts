import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { JobEvent } from '../../domain/event.ts';
import { JobId } from '../../domain/ids.ts';
import type { JobRecord } from '../../domain/job.ts';
import { ownerOf } from '../auth.ts';
import type { ApiDeps } from '../deps.ts';
import { checkId, found } from '../found.ts';

const waitSecondsMax = 60;
/** How often a waiting call asks Redis for news; and the store, while Redis is away. */
const askEveryMs = 250;
const askStoreEveryMs = 2000;

const ById = z.object({ id: z.string() });
const From = z.strictObject({
  after: z.coerce.number().int().min(0).default(0),
  wait: z.coerce.number().min(0).max(waitSecondsMax).default(0),
  limit: z.coerce.number().int().min(1).max(1000).default(1000),
});

export async function jobEventRoutes(plain: FastifyInstance, deps: ApiDeps): Promise<void> {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  // who waits is answered before the server closes
  const closing = new AbortController();
  app.addHook('preClose', async () => closing.abort());

  app.get('/jobs/:id/events', { schema: { params: ById, querystring: From } }, async (request) => {
    const id = checkId(request.params.id, JobId);
    const job = found(await deps.records.getJob(id), id, ownerOf(request));
    const { after, wait, limit } = request.query;
    const until = Date.now() + wait * 1000;
    let events = await eventsOf(deps, job, after);
    const left = () => closing.signal.aborted || request.raw.socket.destroyed;
    while (events.length === 0 && Date.now() < until && !left()) {
      await news(deps, id, Math.max(1, after), { until, left });
      events = await eventsOf(deps, job, after);
    }
    const data = events.slice(0, limit);
    return { data, has_more: events.length > limit, next_after: data.at(-1)?.seq ?? after };
  });
}

/** The log from behind `after`; its first entry is the acknowledgement that job.json is. */
async function eventsOf({ records }: ApiDeps, job: JobRecord, after: number): Promise<JobEvent[]> {
  const written = await records.getEvents(job.id, Math.max(1, after));
  return after < 1 ? [{ seq: 1, time: job.created_at, type: 'queued' }, ...written] : written;
}

/** Resolves when there may be an event behind `after`, at `until`, or when nobody waits any more. */
async function news(
  { liveEvents }: ApiDeps,
  id: string,
  after: number,
  { until, left }: { until: number; left: () => boolean },
): Promise<void> {
  const askStoreAt = Math.min(until, Date.now() + askStoreEveryMs);
  while (!left()) {
    const last = await liveEvents.lastSeq(id).catch(() => null);
    if ((last !== null && last > after) || Date.now() >= askStoreAt) return;
    await delay(Math.min(askEveryMs, Math.max(1, until - Date.now())));
  }
}
