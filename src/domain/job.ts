import { z } from 'zod';
import { EvaluationRequest, EvaluationResult } from './evaluation.ts';
import { EngineInfo, EpochRow, JobError, Suggestions } from './event.ts';
import { DatasetId, JobId, ModelId } from './ids.ts';
import { Spec } from './spec.ts';
import { Timestamp } from './time.ts';

export const JobState = z.enum([
  'queued',
  'running',
  'pausing',
  'paused',
  'cancelling',
  'cancelled',
  'succeeded',
  'failed',
]);
export type JobState = z.infer<typeof JobState>;

const acknowledged = {
  id: JobId,
  owner: z.string(),
  dataset: DatasetId,
  /** What was known to be missing when the job was sent. */
  warnings: z.array(z.string()).optional(),
  created_at: Timestamp,
};

/** A job that trains; records of an earlier version have no `type`. */
export const TrainingRecord = z.object({
  ...acknowledged,
  type: z.literal('train').default('train'),
  spec: z.custom<Spec>((value) => Spec.safeParse(value).success, 'expected a complete spec'),
});
export type TrainingRecord = z.infer<typeof TrainingRecord>;

/** A job that takes a model's predictions of a data set. */
export const EvaluationRecord = z.object({
  ...acknowledged,
  ...EvaluationRequest.shape,
  type: z.literal('evaluate'),
  model: ModelId,
});
export type EvaluationRecord = z.infer<typeof EvaluationRecord>;

/** jobs/{id}/job.json: what the API wrote when it acknowledged the job. */
export const JobRecord = z.union([EvaluationRecord, TrainingRecord]);
export type JobRecord = z.infer<typeof JobRecord>;

/** jobs/{id}/control.json: the user's last wish, written by the API, read by the worker. */
export const JobControl = z.object({
  action: z.enum(['cancel', 'stop', 'pause', 'resume']),
  time: Timestamp,
});
export type JobControl = z.infer<typeof JobControl>;

export const JobProgress = z.object({
  phase: z.int(),
  phase_name: z.string(),
  epoch: z.int(),
  step: z.int(),
  steps: z.int(),
  /** 0..100 of the whole job's steps. */
  percent: z.number(),
  images_per_second: z.number().nullable(),
  eta_seconds: z.number().nullable(),
});
export type JobProgress = z.infer<typeof JobProgress>;

export const JobAttempt = z.object({
  attempt: z.int(),
  started_at: Timestamp,
  ended_at: Timestamp.nullable(),
  /** Why it ended: finished, crashed (with the signal or exit code), interrupted. */
  end: z.string().nullable(),
  /** Whether it saved a checkpoint: deaths without one count towards `trainer_crashed`. */
  progressed: z.boolean().default(false),
});
export type JobAttempt = z.infer<typeof JobAttempt>;

/** jobs/{id}/status.json: written by the worker that holds the job, and by nobody else. */
export const JobStatus = z.object({
  state: JobState,
  transitions: z.array(z.object({ state: JobState, time: Timestamp })),
  attempts: z.array(JobAttempt),
  progress: JobProgress.nullable(),
  epochs: z.array(EpochRow),
  suggestions: Suggestions.nullable(),
  /** Of a job that evaluates, once it is done. */
  evaluation: EvaluationResult.nullable().default(null),
  engine: EngineInfo.nullable(),
  /** Which body training began with: `none (random weights)`, a file's name, a model's id. */
  body: z.string().nullable(),
  dataset_digest: z.string().nullable(),
  model: ModelId.nullable(),
  error: JobError.nullable(),
  /** Every warning event's message, once each, in order. */
  warnings: z.array(z.string()).default([]),
  /** Sequence number of the last event in the log. */
  last_seq: z.int(),
  updated_at: Timestamp,
});
export type JobStatus = z.infer<typeof JobStatus>;

export function isTerminal(state: JobState): boolean {
  return state === 'cancelled' || state === 'succeeded' || state === 'failed';
}

/** A job's state out of what its writers wrote: the API's wish counts at once, the worker's word is last. */
export function jobState(status: JobStatus | null, control: JobControl | null): JobState {
  if (status && isTerminal(status.state)) return status.state;
  if (control?.action === 'cancel') return status?.state === 'running' ? 'cancelling' : 'cancelled';
  return status?.state ?? 'queued';
}
