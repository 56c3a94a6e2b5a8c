import type { Logger } from 'pino';
import type { Manifest } from '../../src/domain/dataset.ts';
import { randomShare } from '../../src/domain/dataset-facts.ts';
import { itemsOfSplit } from '../../src/domain/evaluation.ts';
import type { JobRecord } from '../../src/domain/job.ts';
import { evaluationBatch } from '../evaluation/predictions.ts';
import type { CheckpointPlace } from './job-run.ts';
import { applyEvent, newStatus, type ProgressPlan, plannedSteps } from './job-status.ts';
import { Outbox } from './outbox.ts';
import type { SupervisorDeps } from './supervisor-deps.ts';

/** The job's outbox, continuing behind whatever a worker before us has written. */
export async function openOutbox(
  job: JobRecord,
  manifest: Manifest | null,
  deps: Pick<SupervisorDeps, 'records' | 'liveEvents'> & {
    logger: Logger;
    onWait: (error: Error, waitMs: number) => void;
  },
): Promise<{ outbox: Outbox; lastCheckpoint: CheckpointPlace | null }> {
  const { records, liveEvents, logger, onWait } = deps;
  const plan = planOf(job, manifest);
  const stored = await records.getStatus(job.id);
  const log = await records.getEvents(job.id, 1);
  const status = log
    .filter((event) => event.seq > (stored?.last_seq ?? 1))
    .reduce(
      (before, event) => applyEvent(before, event, plan),
      stored ?? newStatus(job.created_at),
    );
  const saved = log.findLast((event) => event.type === 'checkpoint.saved');
  const outbox = new Outbox({
    jobId: job.id,
    records,
    liveEvents,
    status,
    plan,
    artifacts: await records.getArtifactList(job.id),
    onWait,
    onLiveViewError: (error) => logger.warn({ error }, 'events missed the live view'),
  });
  return {
    outbox,
    lastCheckpoint:
      saved?.type === 'checkpoint.saved' ? { phase: saved.phase, step: saved.step } : null,
  };
}

function planOf(job: JobRecord, manifest: Manifest | null): ProgressPlan {
  if (job.type === 'evaluate') {
    const images = itemsOfSplit(manifest?.items ?? [], job.split).length;
    return { steps: [Math.ceil(images / evaluationBatch)], batchSize: evaluationBatch };
  }
  const { data } = job.spec;
  return {
    steps: plannedSteps(job.spec, trainImages(manifest, data.valid_pct)),
    batchSize: data.batch_size,
  };
}

function trainImages(manifest: Manifest | null, validPct: number | null): number {
  const items = (manifest?.items ?? []).filter(({ split }) => split !== 'test');
  const valid = items.filter(({ split }) => split === 'valid').length;
  const share = randomShare(validPct, valid);
  return share === null ? items.length - valid : Math.ceil(items.length * (1 - share));
}
