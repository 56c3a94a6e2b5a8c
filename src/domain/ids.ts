import { ulid } from 'ulid';
import { z } from 'zod';

const crockford = '[0-9A-HJKMNP-TV-Z]{26}';

export const DatasetId = z
  .string()
  .regex(new RegExp(`^ds_${crockford}$`), 'expected ds_ and a ULID');
export const JobId = z.string().regex(new RegExp(`^job_${crockford}$`), 'expected job_ and a ULID');
export const ModelId = z
  .string()
  .regex(new RegExp(`^mdl_${crockford}$`), 'expected mdl_ and a ULID');
export type DatasetId = z.infer<typeof DatasetId>;
export type JobId = z.infer<typeof JobId>;
export type ModelId = z.infer<typeof ModelId>;

/** A new id; ids sort by the time they were made. */
export function newId(kind: 'ds' | 'job' | 'mdl'): string {
  return `${kind}_${ulid()}`;
}

/** The model that a job makes has the job's ULID, so that a re-run overwrites instead of doubling. */
export function modelIdOfJob(jobId: JobId): ModelId {
  return `mdl_${jobId.slice('job_'.length)}`;
}
