// A job in hand, and the ways it can end. Events and status are in the store before the marker goes: a
// worker that dies between leaves a job that the next one only has to settle.

import type { Logger } from 'pino';
import type { Manifest } from '../../src/domain/dataset.ts';
import type { JobError } from '../../src/domain/event.ts';
import { modelIdOfJob } from '../../src/domain/ids.ts';
import type { JobRecord, TrainingRecord } from '../../src/domain/job.ts';
import type { StoredFile } from '../../src/domain/model.ts';
import { problem } from '../../src/domain/problem.ts';
import type { FinishedModel } from '../../src/learner/journal.ts';
import type { Outcome } from '../../src/queue/consumer.ts';
import { hopeless } from './attempts.ts';
import { beginAttempt, endAttempt, enter } from './job-status.ts';
import { modelCard } from './model-card.ts';
import { modelCardText } from './model-card-text.ts';
import type { Outbox } from './outbox.ts';
import type { SupervisorDeps } from './supervisor-deps.ts';

/** Where the newest checkpoint stands. */
export type CheckpointPlace = { phase: number; step: number };

export type JobRun<Job extends JobRecord = JobRecord> = {
  job: Job;
  outbox: Outbox;
  lastCheckpoint: CheckpointPlace | null;
  deps: SupervisorDeps;
  logger: Logger;
  /** Aborts for every reason to stop training: drain, a lost lock, the user's cancel. */
  stop: AbortSignal;
  /** Repeats while the store is away, until it is time to stop. */
  patient: <T>(action: () => Promise<T>) => Promise<T>;
  /** Repeats while the store is away, until the lock is lost: for what must not be lost. */
  persist: <T>(action: () => Promise<T>) => Promise<T>;
};

/** A job in hand that trains. */
export type TrainingRun = JobRun<TrainingRecord>;

type Ending =
  | { type: 'succeeded'; model: string }
  | { type: 'failed'; error: JobError }
  | { type: 'cancelled' };

const attemptEnds = { succeeded: 'finished', failed: 'failed', cancelled: 'cancelled' } as const;

/** Begins the next attempt; answers its number. @throws Problem `trainer_crashed` after too many */
export async function begin({ outbox }: JobRun): Promise<number> {
  const reason = hopeless(outbox.status.attempts);
  if (reason) throw problem('trainer_crashed', reason);
  outbox.change((status) => beginAttempt(status, new Date().toISOString()));
  await outbox.flush();
  return outbox.status.attempts.length;
}

/** Ends the job for good. */
export async function conclude(run: JobRun, ending: Ending): Promise<Outcome> {
  const end = attemptEnds[ending.type];
  run.outbox.change((status) => endAttempt(status, end, new Date().toISOString()));
  run.outbox.event(ending);
  run.logger.info(ending, 'job ended');
  return await settle(run);
}

/** Writes what the log says already, and takes the job off the list of unfinished work. */
export async function settle(run: JobRun): Promise<Outcome> {
  // a worker may have died between the last event and the status that follows it
  run.outbox.change((status) => status);
  await run.outbox.flush();
  await run.persist(() => run.deps.records.unmark('training', run.job.id));
  return { outcome: 'done' };
}

/** Writes the model's card, with which the model exists, and ends the job. */
export async function succeed(
  run: TrainingRun,
  made: { manifest: Manifest; model: FinishedModel; files: StoredFile[] },
): Promise<Outcome> {
  const { job, deps, outbox } = run;
  // the model's files and the engine's name are still on their way through the outbox
  await outbox.flush();
  const { engine } = outbox.status;
  if (engine === null) throw new Error('the trainer finished without ever saying that it started');
  const card = modelCard({ job, ...made, engine, codeVersion: deps.codeVersion });
  const text = Buffer.from(modelCardText(card, { job, ...made }));
  const textFile = await run.persist(() =>
    deps.records.putModelFile(card.id, 'model-card.md', 'text/markdown; charset=utf-8', text),
  );
  const files = [...card.files, textFile];
  await run.persist(() => deps.records.putModel({ ...card, files }));
  return await conclude(run, { type: 'succeeded', model: modelIdOfJob(job.id) });
}

/** Puts the job back to where another worker takes it up. */
export async function interrupt(run: JobRun): Promise<Outcome> {
  run.outbox.change((status) => {
    const time = new Date().toISOString();
    return enter(endAttempt(status, 'interrupted', time), 'queued', time);
  });
  await run.outbox.flush();
  return { outcome: 'interrupted' };
}
