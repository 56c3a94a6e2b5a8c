import { z } from 'zod';
import { EvaluationResult } from './evaluation.ts';
import { Timestamp } from './time.ts';

const lrs = z.array(z.number());

/** One row of the table that fastai prints. `valid_loss` is null where nothing was validated. */
export const EpochRow = z.object({
  phase: z.int(),
  epoch: z.int(),
  train_loss: z.number(),
  valid_loss: z.number().nullable(),
  metrics: z.record(z.string(), z.number().nullable()),
  seconds: z.number(),
  /** Learning rate of each layer group in the epoch's last step. */
  lr: lrs,
});
export type EpochRow = z.infer<typeof EpochRow>;

export const Suggestions = z.object({
  /** v1: the steepest descent of the smoothed loss (`recorder.min_grad_lr`). */
  min_numerical_gradient: z.number().nullable(),
  /** v1: the rate of the lowest loss, divided by 10. */
  min_loss_div_10: z.number().nullable(),
  /** v2's rules on the series [num_it//10:-5]. */
  valley: z.number().nullable(),
  slide: z.number().nullable(),
  steep: z.number().nullable(),
  minimum: z.number().nullable(),
});
export type Suggestions = z.infer<typeof Suggestions>;

/** artifacts/lr_find.json; of a test whose groups have rates of their own, the last group's. */
export const LrFindResult = z.object({
  phase: z.int(),
  lrs: z.array(z.number()),
  losses: z.array(z.number()),
  raw_losses: z.array(z.number()),
  stopped_early: z.boolean(),
  suggestions: Suggestions,
  /** The rule and value that `max_lr: "auto"` takes. */
  auto: z.object({
    rule: z.string(),
    lr: z.number().nullable(),
    /** Why there is none. */
    reason: z.string().nullish(),
  }),
  skip_start: z.int(),
  skip_end: z.int(),
});
export type LrFindResult = z.infer<typeof LrFindResult>;

export const EngineInfo = z.object({
  name: z.string(),
  version: z.string(),
  isa: z.string(),
  precision: z.enum(['f32', 'bf16']),
  threads: z.int(),
});
export type EngineInfo = z.infer<typeof EngineInfo>;

export const JobError = z.object({ code: z.string(), message: z.string(), hint: z.string() });
export type JobError = z.infer<typeof JobError>;

const step = { phase: z.int(), epoch: z.int(), step: z.int(), steps: z.int() };

/** What happened, without its place in the log: the trainer says this, the supervisor numbers it. */
export const EventBody = z.discriminatedUnion('type', [
  z.object({ type: z.literal('queued') }),
  z.object({ type: z.literal('started'), attempt: z.int(), engine: EngineInfo, body: z.string() }),
  /** A pretrained body on its way here, at most once a second. */
  z.object({
    type: z.literal('download'),
    file: z.string(),
    url: z.string(),
    bytes: z.int(),
    bytes_total: z.int().nullable(),
  }),
  z.object({ type: z.literal('lr_find.started'), phase: z.int(), steps: z.int() }),
  z.object({
    type: z.literal('lr_find.step'),
    ...step,
    lr: z.number(),
    loss: z.number(),
    smooth_loss: z.number(),
    images_per_second: z.number(),
  }),
  z.object({
    type: z.literal('lr_find.finished'),
    phase: z.int(),
    suggestions: Suggestions,
    seconds: z.number(),
  }),
  z.object({
    type: z.literal('phase.started'),
    phase: z.int(),
    name: z.string(),
    epochs: z.int(),
    steps: z.int(),
    max_lr: lrs,
    trainable: z.int(),
    parameters: z.int(),
  }),
  z.object({
    type: z.literal('step'),
    ...step,
    lr: lrs,
    mom: z.number(),
    loss: z.number(),
    smooth_loss: z.number(),
    images_per_second: z.number(),
  }),
  z.object({ type: z.literal('epoch.finished'), row: EpochRow }),
  /** A batch of an evaluation; `phase` and `epoch` are 0. */
  z.object({ type: z.literal('evaluate.step'), ...step, images_per_second: z.number() }),
  z.object({ type: z.literal('evaluate.finished'), result: EvaluationResult }),
  z.object({ type: z.literal('checkpoint.saved'), ...step }),
  z.object({
    type: z.literal('resumed'),
    attempt: z.int(),
    phase: z.int(),
    step: z.int(),
    reason: z.string(),
  }),
  z.object({ type: z.literal('warning'), message: z.string() }),
  z.object({ type: z.literal('log'), message: z.string() }),
  z.object({ type: z.literal('paused') }),
  z.object({ type: z.literal('succeeded'), model: z.string() }),
  z.object({ type: z.literal('failed'), error: JobError }),
  z.object({ type: z.literal('cancelled') }),
]);
export type EventBody = z.infer<typeof EventBody>;

/** An entry of a job's event log. `seq` starts at 1 and has no holes. */
export const JobEvent = z.object({ seq: z.int(), time: Timestamp }).and(EventBody);
export type JobEvent = z.infer<typeof JobEvent>;
