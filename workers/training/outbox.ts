// Everything a job says goes out through here, in order: files, events, status. The store comes first and
// the live view last, so whoever saw an event can read what it speaks of. Training never waits for it: while
// the store is away the outbox grows and `patiently` tries on.

import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { EventBody, JobEvent } from '../../src/domain/event.ts';
import type { JobStatus } from '../../src/domain/job.ts';
import type { StoredFile } from '../../src/domain/model.ts';
import type { LiveEvents } from '../../src/queue/live-events.ts';
import type { Records } from '../../src/store/records.ts';
import { patiently } from '../patience.ts';
import { applyEvent, type ProgressPlan } from './job-status.ts';

/** Steps wait this long for company before they are written; everything else goes at once. */
const gatherMs = 500;
/** A segment of the log is rewritten as it grows, up to this many events; then the next one begins. */
const segmentEventsMax = 400;

type Entry =
  | { kind: 'event'; time: string; body: EventBody }
  | { kind: 'status'; change: (status: JobStatus) => JobStatus }
  | { kind: 'task'; run: () => Promise<void> };

export type OutboxOptions = {
  jobId: string;
  records: Records;
  liveEvents: Pick<LiveEvents, 'publish'>;
  status: JobStatus;
  plan: ProgressPlan;
  artifacts: StoredFile[];
  onWait: (error: Error, waitMs: number) => void;
  onLiveViewError: (error: unknown) => void;
};

/** One job's ordered way out. */
export class Outbox {
  status: JobStatus;
  private readonly options: OutboxOptions;
  private readonly abort = new AbortController();
  private entries: Entry[] = [];
  private segment: JobEvent[] = [];
  private artifacts: StoredFile[];
  private running: Promise<void> | null = null;
  private hurry: AbortController | null = null;
  private failure: unknown = null;

  constructor(options: OutboxOptions) {
    this.options = options;
    this.status = options.status;
    this.artifacts = options.artifacts;
  }

  event(body: EventBody, time = new Date().toISOString()): void {
    this.push({ kind: 'event', time, body });
    if (!isStep(body)) this.hurry?.abort();
  }

  /** Changes the status by what no event says. */
  change(change: (status: JobStatus) => JobStatus): void {
    this.push({ kind: 'status', change });
    this.hurry?.abort();
  }

  /** Stores an artifact of the job, and removes the local file. */
  artifact(name: string, contentType: string, path: string): void {
    const { jobId, records } = this.options;
    this.task(async () => {
      const file = await records.putArtifact(jobId, name, contentType, createReadStream(path));
      this.artifacts = [...this.artifacts.filter((other) => other.name !== name), file];
      await records.putArtifactList(jobId, this.artifacts);
      await rm(path, { force: true });
    });
  }

  /** Runs `run` in its turn, and again while the store is away. */
  task(run: () => Promise<void>): void {
    this.push({ kind: 'task', run });
    this.hurry?.abort();
  }

  /**
   * Resolves when everything said so far is in the store.
   * @throws Problem `storage_unavailable` when the store stayed away
   */
  async flush(): Promise<void> {
    while (this.running) {
      this.hurry?.abort();
      await this.running;
    }
    if (this.failure) throw this.failure;
  }

  /** Drops what has not gone out: another worker may hold the job. */
  async abandon(): Promise<void> {
    this.entries = [];
    this.abort.abort();
    this.hurry?.abort();
    await this.running?.catch(() => {});
  }

  private push(entry: Entry): void {
    if (this.abort.signal.aborted || this.failure) return;
    this.entries.push(entry);
    this.running ??= this.drain();
  }

  private async drain(): Promise<void> {
    try {
      while (this.entries.length > 0) {
        if (this.entries.every((entry) => entry.kind === 'event' && isStep(entry.body))) {
          await this.gather();
        }
        const taskAt = this.entries.findIndex((entry) => entry.kind === 'task');
        const batch = this.entries.splice(
          0,
          taskAt < 0 ? this.entries.length : Math.max(1, taskAt),
        );
        const first = batch[0];
        if (first?.kind === 'task') await this.patiently(first.run);
        else await this.write(batch);
      }
    } catch (error) {
      if (this.abort.signal.aborted) return;
      this.failure = error;
      this.entries = [];
    } finally {
      // in the same turn as the last look at entries, or one that comes between would wait for ever
      this.running = null;
    }
  }

  private async gather(): Promise<void> {
    this.hurry = new AbortController();
    await delay(gatherMs, undefined, { signal: this.hurry.signal }).catch(() => {});
    this.hurry = null;
  }

  private async write(batch: Entry[]): Promise<void> {
    const { jobId, records, liveEvents, plan } = this.options;
    const events: JobEvent[] = [];
    let status = this.status;
    for (const entry of batch) {
      if (entry.kind === 'status') status = entry.change(status);
      if (entry.kind !== 'event' || saidBefore(entry.body, status)) continue;
      const event: JobEvent = { seq: status.last_seq + 1, time: entry.time, ...entry.body };
      events.push(event);
      status = applyEvent(status, event, plan);
    }
    status = { ...status, updated_at: new Date().toISOString() };
    if (events.length > 0) {
      this.segment.push(...events);
      await this.patiently(() => records.putEvents(jobId, this.segment));
      if (this.segment.length >= segmentEventsMax) this.segment = [];
    }
    await this.patiently(() => records.putStatus(jobId, status));
    this.status = status;
    if (events.length === 0) return;
    // Redis is only the live view: who misses it there reads the store
    await liveEvents.publish(jobId, events).catch(this.options.onLiveViewError);
  }

  private async patiently<T>(action: () => Promise<T>): Promise<void> {
    await patiently(action, { signal: this.abort.signal, onWait: this.options.onWait });
  }
}

/** A later attempt finds the same faults as the first one. */
function saidBefore(body: EventBody, { warnings }: JobStatus): boolean {
  return body.type === 'warning' && warnings.includes(body.message);
}

function isStep(body: EventBody): boolean {
  return body.type === 'step' || body.type === 'lr_find.step' || body.type === 'evaluate.step';
}
