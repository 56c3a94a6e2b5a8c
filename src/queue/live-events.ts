// A job's newest events on a Redis stream, for who follows it live. The log in the store is the truth; the
// stream is capped and expires.

import type { Redis } from 'ioredis';
import { JobEvent } from '../domain/event.ts';

const eventsMax = 2000;
const keptSeconds = 24 * 3600;

export class LiveEvents {
  private readonly redis: Redis;

  constructor(redis: Redis) {
    this.redis = redis;
  }

  async publish(jobId: string, events: readonly JobEvent[]): Promise<void> {
    const key = keyOf(jobId);
    const pipeline = this.redis.pipeline();
    for (const event of events) {
      pipeline.xadd(key, 'MAXLEN', '~', eventsMax, '*', 'event', JSON.stringify(event));
    }
    pipeline.expire(key, keptSeconds);
    await pipeline.exec();
  }

  /** The newest sequence number that was published, 0 when none is known. */
  async lastSeq(jobId: string): Promise<number> {
    const [last] = await this.redis.xrevrange(keyOf(jobId), '+', '-', 'COUNT', 1);
    const raw = last?.[1]?.[1];
    return raw === undefined ? 0 : JobEvent.parse(JSON.parse(raw)).seq;
  }
}

function keyOf(jobId: string): string {
  return `onecycle:events:${jobId}`;
}
