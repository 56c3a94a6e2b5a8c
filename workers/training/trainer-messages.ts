// What supervisor and trainer say to each other over the fork's IPC channel. Bytes never travel on it:
// the trainer writes a file into the attempt's scratch folder and names it.

import { z } from 'zod';
import { EventBody, JobError } from '../../src/domain/event.ts';
import type { Spec } from '../../src/domain/spec.ts';
import type { FinishedModel } from '../../src/learner/journal.ts';
import type { PipelineInput } from '../../src/learner/pipeline.ts';

/** How the trainer is to compute; from the worker's configuration and the spec. */
export type EngineChoice = {
  engine: 'auto' | 'onednn' | 'js' | 'tensorflow' | 'tensorflow-gpu';
  precision: 'auto' | 'f32' | 'bf16';
  threads: number | null;
};

/** Everything that the trainer needs to know; the supervisor's first message. */
export type TrainerInput = {
  jobId: string;
  codeVersion: string;
  attempt: number;
  spec: Spec;
  /** A file with the Manifest as JSON: it may be too long for a message. */
  manifestPath: string;
  imagesPath: string;
  pretrained: PipelineInput['pretrained'];
  checkpointPath: string | null;
  /** Where the trainer writes the files that it names. */
  scratchDir: string;
  engine: EngineChoice;
  logLevel: string;
};

export type ToTrainer = { type: 'train'; input: TrainerInput } | { type: 'stop' };

/** A file that the trainer has written whole; it belongs to the supervisor now. */
export const TrainerFile = z.object({
  type: z.literal('file'),
  kind: z.enum(['artifact', 'checkpoint', 'model']),
  name: z.string(),
  contentType: z.string(),
  path: z.string(),
});
export type TrainerFile = z.infer<typeof TrainerFile>;

export const FromTrainer = z.union([
  z.object({ type: z.literal('event'), time: z.iso.datetime(), body: EventBody }),
  TrainerFile,
  z.object({
    type: z.literal('finished'),
    model: z.custom<FinishedModel>((value) => typeof value === 'object' && value !== null),
  }),
  z.object({ type: z.literal('interrupted') }),
  z.object({ type: z.literal('failed'), error: JobError }),
  /** What no Problem names was thrown; the process exits with code 1 right after. */
  z.object({
    type: z.literal('crashed'),
    /** For the log alone: it holds the stack, and with it paths. */
    message: z.string(),
    /** What the machine lacked, such as ENOSPC; null is a bug, which would come again. */
    lacking: z.string().nullable(),
  }),
  /** Sent by a timer: a trainer whose event loop stands still for long is taken for wedged. */
  z.object({ type: z.literal('alive') }),
]);
export type FromTrainer = z.infer<typeof FromTrainer>;
