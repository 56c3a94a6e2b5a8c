// The two queues and the channel by which the API reaches a worker. Redis holds nothing that the store does
// not know: it may be emptied at any moment (reconcile.ts).

import { Queue } from 'bullmq';
import { Redis } from 'ioredis';
import { problem } from '../domain/problem.ts';

export type QueueKind = 'ingest' | 'training';
const channel = 'onecycle:control';

export class Queues {
  readonly redisUrl: string;
  readonly redis: Redis;
  private readonly queues: Record<QueueKind, Queue>;
  private subscriber: Redis | null = null;

  private constructor(redisUrl: string, redis: Redis) {
    this.redisUrl = redisUrl;
    this.redis = redis;
    const queue = (name: QueueKind) => {
      const made = new Queue(name, { connection: redis, prefix: 'onecycle' });
      // every call reports its own failure; without a listener the event would end the process
      made.on('error', () => {});
      return made;
    };
    this.queues = { ingest: queue('ingest'), training: queue('training') };
  }

  /** Connects; calls fail with queue_unavailable while Redis is away, and work again when it is back. */
  static async connect(redisUrl: string): Promise<Queues> {
    const redis = new Redis(redisUrl, {
      lazyConnect: true,
      maxRetriesPerRequest: 1,
      connectTimeout: 3000,
      retryStrategy: (times) => Math.min(2000, 100 * times),
    });
    redis.on('error', () => {});
    await redis.connect().catch(() => {});
    return new Queues(redisUrl, redis);
  }

  /** Puts the id into its queue, once however often it is called; one that is over is queued anew. */
  async enqueue(kind: QueueKind, id: string, { priority = 0 } = {}): Promise<void> {
    await this.ask(async () => {
      const queue = this.queues[kind];
      const old = await queue.getJob(id);
      if (old && ((await old.isCompleted()) || (await old.isFailed()))) await old.remove();
      await queue.add(kind, { id }, { jobId: id, priority, removeOnComplete: true, attempts: 1 });
    });
  }

  /** 1 is next; null when it does not wait. */
  async position(id: string): Promise<number | null> {
    return await this.ask(async () => {
      const queue = this.queues.training;
      const [waiting, prioritized] = await Promise.all([
        queue.getRanges(['waiting'], 0, -1, true),
        queue.getRanges(['prioritized'], 0, -1, true),
      ]);
      const at = [...waiting, ...prioritized].indexOf(id);
      return at < 0 ? null : at + 1;
    });
  }

  /** Takes it out of the queue unless a worker has it. */
  async remove(kind: QueueKind, id: string): Promise<void> {
    await this.ask(async () => {
      await this.queues[kind].remove(id);
    });
  }

  /** Whether a worker has it, or will. */
  async holds(kind: QueueKind, id: string): Promise<boolean> {
    return await this.ask(async () => {
      const state = await this.queues[kind].getJobState(id);
      return state !== 'unknown' && state !== 'completed' && state !== 'failed';
    });
  }

  /**
   * Takes everything out that a worker holds, for a stack that knows its worker to be dead: the reconciler
   * puts it back at once, where BullMQ would wait for the lock to run out.
   */
  async releaseActive(): Promise<void> {
    await this.ask(async () => {
      for (const queue of Object.values(this.queues)) {
        for (const job of await queue.getActive()) {
          await this.redis.del(queue.toKey(`${job.id}:lock`));
          await job.remove();
        }
      }
    });
  }

  /** Says that control.json of a job has changed. */
  async notifyControl(jobId: string): Promise<void> {
    await this.ask(() => this.redis.publish(channel, jobId));
  }

  /** Calls the listener with the id of each job whose control.json has changed. */
  async onControl(listener: (jobId: string) => void): Promise<() => void> {
    this.subscriber ??= this.redis.duplicate({ lazyConnect: false, maxRetriesPerRequest: null });
    const { subscriber } = this;
    subscriber.on('error', () => {});
    const onMessage = (_channel: string, jobId: string) => listener(jobId);
    subscriber.on('message', onMessage);
    await subscriber.subscribe(channel);
    return () => subscriber.off('message', onMessage);
  }

  /** @throws Problem `queue_unavailable` when Redis does not answer */
  async check(): Promise<void> {
    await this.ask(() => this.redis.ping());
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.queues).map((queue) => queue.close().catch(() => {})));
    this.subscriber?.disconnect();
    this.redis.disconnect();
  }

  private async ask<T>(action: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('no answer within 5 s')), 5000);
    });
    try {
      return await Promise.race([action(), late]);
    } catch (cause) {
      throw problem('queue_unavailable', `Redis does not answer: ${(cause as Error).message}`, {
        cause,
      });
    } finally {
      clearTimeout(timer);
    }
  }
}
