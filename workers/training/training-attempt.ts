import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { modelIdOfJob } from '../../src/domain/ids.ts';
import type { StoredFile } from '../../src/domain/model.ts';
import type { AttemptInputs } from './attempt-inputs.ts';
import type { CheckpointUpload } from './checkpoint-upload.ts';
import type { TrainingRun } from './job-run.ts';
import type { TrainerFile } from './trainer-messages.ts';
import { startTrainer, type TrainerEnd } from './trainer-process.ts';

/** From "stop" to SIGKILL; with the last upload it stays below the 30 s that a drain may take. */
const stopGraceMs = 15_000;
/** Longer than any single step may take; the engine called `js` is slow. */
const silenceMsMax = 15 * 60_000;

type AttemptEnd = TrainerEnd & { files: StoredFile[] };

/** One life of a trainer: forked, listened to, stopped when it is time. `files` are the model's, once flushed. */
export async function runAttempt(
  run: TrainingRun,
  with_: {
    attempt: number;
    inputs: AttemptInputs;
    checkpoint: CheckpointUpload;
    scratchDir: string;
  },
): Promise<AttemptEnd> {
  const { job, deps, outbox, logger, stop } = run;
  const { attempt, inputs, checkpoint, scratchDir } = with_;
  if (attempt > 1) sayResumed(run, attempt, checkpoint.latestPath !== null);
  const files: StoredFile[] = [];
  const take = (file: TrainerFile) => {
    if (file.kind === 'checkpoint') return checkpoint.save(file.path);
    if (file.kind === 'artifact') return outbox.artifact(file.name, file.contentType, file.path);
    outbox.task(async () => {
      const stored = await deps.records.putModelFile(
        modelIdOfJob(job.id),
        file.name,
        file.contentType,
        createReadStream(file.path),
      );
      files.push(stored);
      await rm(file.path, { force: true });
    });
  };
  const trainer = startTrainer(
    {
      ...inputs,
      jobId: job.id,
      codeVersion: deps.codeVersion,
      attempt,
      spec: job.spec,
      checkpointPath: checkpoint.latestPath,
      scratchDir,
      engine: { ...deps.engine, precision: precisionOf(run) },
      logLevel: deps.logLevel,
    },
    {
      event(time, body) {
        if (body.type === 'checkpoint.saved') {
          run.lastCheckpoint = { phase: body.phase, step: body.step };
        }
        outbox.event(body, time);
      },
      file: take,
    },
    { trainerPath: deps.trainerPath, silenceMsMax, logger },
  );
  logger.info({ attempt, pid: trainer.pid }, 'trainer forked');
  const onStop = () => trainer.stop(stopGraceMs);
  stop.addEventListener('abort', onStop, { once: true });
  if (stop.aborted) onStop();
  try {
    return { ...(await trainer.end), files };
  } finally {
    stop.removeEventListener('abort', onStop);
  }
}

/** What the spec asks for, else what the worker is set to. */
function precisionOf({ job, deps }: TrainingRun) {
  return job.spec.precision === 'auto' ? deps.engine.precision : job.spec.precision;
}

function sayResumed(run: TrainingRun, attempt: number, hasCheckpoint: boolean): void {
  const before = run.outbox.status.attempts.at(-2)?.end ?? 'the attempt before was lost';
  const place = hasCheckpoint && run.lastCheckpoint ? run.lastCheckpoint : { phase: 0, step: 0 };
  run.outbox.event({ type: 'resumed', attempt, ...place, reason: before });
}
