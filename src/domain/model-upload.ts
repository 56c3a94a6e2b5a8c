import { z } from 'zod';
import { Arch } from './arch.ts';
import { JobError } from './event.ts';
import { ModelId } from './ids.ts';
import { Timestamp } from './time.ts';
import { imagenetStatistics, Statistics } from './zoo.ts';

/** A weights file is read in one piece: this is what a worker has room for. */
export const weightsBytesMax = 2 ** 30;

/** models/{id}/upload.json: what the API wrote when it acknowledged a weights file, models/{id}/source. */
export const ModelUpload = z.object({
  id: ModelId,
  owner: z.string(),
  name: z.string(),
  arch: Arch,
  /** What the body was trained with. */
  normalize: Statistics.nullable(),
  /** Of the head in the file, in the order of its outputs; null: the body alone is taken. */
  classes: z.array(z.string()).nullable(),
  bytes: z.int(),
  sha256: z.string(),
  created_at: Timestamp,
});
export type ModelUpload = z.infer<typeof ModelUpload>;

/** models/{id}/failure.json: why the worker could not make a model of the file. */
export const ModelFailure = z.object({ error: JobError, created_at: Timestamp });
export type ModelFailure = z.infer<typeof ModelFailure>;

const className = z.string().min(1).max(200);
const ClassNames = z
  .array(className)
  .min(2, 'expected at least two classes')
  .max(10_000)
  .refine((names) => new Set(names).size === names.length, 'expected each class once');

/** What an uploader of weights may say, in the query or as fields of the form; all of it is text there. */
export const ModelParameters = z.strictObject({
  arch: Arch.optional(),
  name: z.string().max(200).optional(),
  normalize: z.string().max(1000).optional(),
  classes: z.string().min(1).max(1_000_000).optional(),
});
export type ModelParameters = z.infer<typeof ModelParameters>;

/** `imagenet`, `null`, or statistics as JSON. */
export const NormalizeText = z
  .string()
  .transform((text, context): unknown =>
    text === 'imagenet' ? imagenetStatistics : jsonOf(text, context),
  )
  .pipe(Statistics.nullable());

/** `cat,dog`, or a list as JSON where a name has a comma. */
export const ClassesText = z
  .string()
  .transform((text, context): unknown =>
    text.trimStart().startsWith('[')
      ? jsonOf(text, context)
      : text.split(',').map((name) => name.trim()),
  )
  .pipe(ClassNames);

function jsonOf(text: string, context: z.core.$RefinementCtx<string>): unknown {
  try {
    return JSON.parse(text);
  } catch {
    context.addIssue({ code: 'custom', message: `expected JSON, got ${JSON.stringify(text)}` });
    return z.NEVER;
  }
}
