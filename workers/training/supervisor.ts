// One training job. Whoever holds the queue's lock never computes: this waits, relays and decides, and a
// forked trainer trains. Every step can be done again: a worker that takes the job over goes by the store.

import { rm } from 'node:fs/promises';
import type { Manifest } from '../../src/domain/dataset.ts';
import { modelIdOfJob } from '../../src/domain/ids.ts';
import { isTerminal } from '../../src/domain/job.ts';
import { Problem, problem } from '../../src/domain/problem.ts';
import type { Outcome } from '../../src/queue/consumer.ts';
import { evaluate } from '../evaluation/evaluate.ts';
import { dropOrphan } from '../orphan.ts';
import { patiently } from '../patience.ts';
import { checkpointOf, fetchInputs } from './attempt-inputs.ts';
import { crashed } from './attempts.ts';
import { watchControl } from './control.ts';
import {
  begin,
  conclude,
  interrupt,
  type JobRun,
  settle,
  succeed,
  type TrainingRun,
} from './job-run.ts';
import { endAttempt } from './job-status.ts';
import { openOutbox } from './open-outbox.ts';
import type { SupervisorDeps } from './supervisor-deps.ts';
import { runAttempt } from './training-attempt.ts';

const datasetPollMs = 1000;

/** Why a job may be left before its end: the worker drains, or the lock has gone to somebody else. */
export type Leave = { drain: AbortSignal; lost: AbortSignal };

/** Takes one training job as far as it goes. */
export async function supervise(
  jobId: string,
  deps: SupervisorDeps,
  leave: Leave,
): Promise<Outcome> {
  const logger = deps.logger.child({ jobId });
  const onWait = (error: Error, waitMs: number) =>
    logger.warn({ reason: error.message, waitMs }, 'store is away');
  const control = watchControl(jobId, deps);
  const stop = AbortSignal.any([leave.drain, leave.lost, control.cancel]);
  const patient = <T>(action: () => Promise<T>) => patiently(action, { signal: stop, onWait });
  const persist = <T>(action: () => Promise<T>) =>
    patiently(action, { signal: leave.lost, onWait });
  let run: JobRun | null = null;
  try {
    const job = await patient(() => deps.records.getJob(jobId));
    if (job === null) return await dropOrphan('training', jobId, { ...deps, logger });
    const manifest = await patient(() => deps.records.getManifest(job.dataset));
    const { outbox, lastCheckpoint } = await patient(() =>
      openOutbox(job, manifest, { ...deps, logger, onWait }),
    );
    leave.lost.addEventListener('abort', () => void outbox.abandon(), { once: true });
    run = { job, outbox, lastCheckpoint, deps, logger, stop, patient, persist };
    return await proceed(run, manifest, leave);
  } catch (error) {
    if (leave.lost.aborted) return { outcome: 'interrupted' };
    if (run && control.cancel.aborted) return await conclude(run, { type: 'cancelled' });
    if (leave.drain.aborted) return run ? await interrupt(run) : { outcome: 'interrupted' };
    if (!run || !(error instanceof Problem) || error.code === 'storage_unavailable') throw error;
    const { code, message, hint } = error;
    return await conclude(run, { type: 'failed', error: { code, message, hint } });
  } finally {
    control.close();
  }
}

async function proceed(run: JobRun, manifest: Manifest | null, leave: Leave): Promise<Outcome> {
  const { job, outbox, deps, patient } = run;
  if (isTerminal(outbox.status.state)) return await settle(run);
  const control = await patient(() => deps.records.getControl(job.id));
  if (control?.action === 'cancel') return await conclude(run, { type: 'cancelled' });
  const model = modelIdOfJob(job.id);
  if (job.type === 'train' && (await patient(() => deps.records.getModel(model)))) {
    return await conclude(run, { type: 'succeeded', model });
  }
  if (manifest === null) {
    const report = await patient(() => deps.records.getReport(job.dataset));
    const error = report?.error;
    if (!error) return { outcome: 'later', delayMs: datasetPollMs };
    throw problem('dataset_failed', `${job.dataset}: ${error.message}`, { hint: error.hint });
  }
  const dir = await deps.scratch.folder(job.id);
  try {
    outbox.change((status) => ({ ...status, dataset_digest: manifest.digest }));
    return job.type === 'train'
      ? await train({ ...run, job }, manifest, { dir, leave })
      : await evaluate({ ...run, job }, manifest, dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function train(
  run: TrainingRun,
  manifest: Manifest,
  { dir, leave }: { dir: string; leave: Leave },
): Promise<Outcome> {
  const { outbox, logger, stop } = run;
  const now = () => new Date().toISOString();
  let attempt = await begin(run);
  const inputs = await fetchInputs(run, manifest, dir);
  const checkpoint = await checkpointOf(run, dir);
  for (;;) {
    stop.throwIfAborted();
    const end = await runAttempt(run, { attempt, inputs, checkpoint, scratchDir: dir });
    logger.info({ attempt, outcome: end.outcome }, 'attempt ended');
    if (end.outcome === 'finished' && !stop.aborted) {
      return await succeed(run, { manifest, model: end.model, files: end.files });
    }
    if (end.outcome === 'failed' && !stop.aborted) {
      return await conclude(run, { type: 'failed', error: end.error });
    }
    if (leave.drain.aborted && !leave.lost.aborted) await checkpoint.flush();
    stop.throwIfAborted();
    const reason = end.outcome === 'died' ? end.reason : `${end.outcome} without being asked`;
    logger.error({ attempt, reason }, 'trainer died');
    outbox.change((status) => endAttempt(status, crashed(reason), now()));
    await outbox.flush();
    attempt = await begin(run);
  }
}
