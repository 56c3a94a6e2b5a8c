import { z } from 'zod';
import { ArchiveFormat } from './archive-format.ts';
import type { ExifOrientation } from './data-options.ts';
import { DatasetId } from './ids.ts';
import { Timestamp } from './time.ts';

/**
 * How labels are found. `auto`: train/ and valid/ folders, else labels.csv, else a folder per class.
 * `name_re` takes `pattern`, a regular expression whose first group is the label (fastai from_name_re).
 */
export const Layout = z.enum(['auto', 'folder', 'csv', 'name_re']);
export type Layout = z.infer<typeof Layout>;

/** What an uploader may say of how labels are found; null where it is found out. */
export const DatasetOptions = z.object({
  layout: Layout,
  pattern: z.string().nullable(),
  /** Path in the archive, or its end, of the table of labels. */
  csv: z.string().nullable().default(null),
  name_column: z.string().nullable().default(null),
  label_column: z.string().nullable().default(null),
  /** WHATWG label of the encoding of names and tables that do not say it themselves. */
  encoding: z.string().nullable().default(null),
});
export type DatasetOptions = z.infer<typeof DatasetOptions>;

/** An upload of which nothing is said: all is found out. */
export const nothingSaid: DatasetOptions = DatasetOptions.parse({ layout: 'auto', pattern: null });

/** datasets/{id}/dataset.json: what the API wrote when it acknowledged the upload. */
export const DatasetRecord = z.object({
  id: DatasetId,
  owner: z.string(),
  name: z.string(),
  ...DatasetOptions.shape,
  bytes: z.int(),
  sha256: z.string(),
  format: ArchiveFormat,
  created_at: Timestamp,
});
export type DatasetRecord = z.infer<typeof DatasetRecord>;

/**
 * One image; `offset` and `length` are bytes in images.bin. `split` is null where the upload gave none;
 * what is in `test` is never trained on, nor validated on while training.
 */
export const ManifestItem = z.object({
  file: z.string(),
  label: z.string(),
  split: z.enum(['train', 'valid', 'test']).nullable(),
  offset: z.int(),
  length: z.int(),
  width: z.int(),
  height: z.int(),
  /** EXIF's, 1 to 8: how the stored pixels would have to be turned; 5 to 8 swap width and height. */
  orientation: z.int().min(1).max(8).default(1),
  sha256: z.string(),
});
export type ManifestItem = z.infer<typeof ManifestItem>;

/** [width, height] of an image as a job sees it. */
export function sizeOf(
  { width, height, orientation }: Pick<ManifestItem, 'width' | 'height' | 'orientation'>,
  exif: ExifOrientation,
): [number, number] {
  return exif === 'apply' && orientation > 4 ? [height, width] : [width, height];
}

/** datasets/{id}/manifest.json: the data set is ready when this exists. Items are sorted by file. */
export const Manifest = z.object({
  classes: z.array(z.string()),
  items: z.array(ManifestItem),
  /** sha256 over file, label, split and sha256 of every item: two equal digests train alike. */
  digest: z.string(),
  created_at: Timestamp,
});
export type Manifest = z.infer<typeof Manifest>;

/** Images per class of each split; `unsplit` where the upload gave no split. */
const ClassCounts = z.record(z.string(), z.int());
export const SplitCounts = z.object({
  train: ClassCounts,
  valid: ClassCounts,
  test: ClassCounts.default({}),
  unsplit: ClassCounts,
});
export type SplitCounts = z.infer<typeof SplitCounts>;

/** datasets/{id}/report.json: written for a failed data set too, with `error`. */
export const DatasetReport = z.object({
  /** All of it in a sentence or two, for a person. */
  summary: z.string().default(''),
  images: z.int(),
  counts: SplitCounts,
  /** Files that are no image of the set, at most 1,000 of them; `skipped_reasons` counts them all. */
  skipped: z.array(z.object({ file: z.string(), reason: z.string() })),
  skipped_total: z.int(),
  /** How many are skipped in each folder ('' is the top) and why; `folder` is null where there are too many. */
  skipped_reasons: z
    .array(z.object({ reason: z.string(), folder: z.string().nullable(), count: z.int() }))
    .default([]),
  /** The tables that labels were read from. */
  used_tables: z.array(z.string()).default([]),
  /** Images whose EXIF orientation says that they are to be turned. */
  turned: z.int().default(0),
  duplicates: z.array(z.object({ files: z.array(z.string()), labels: z.array(z.string()) })),
  duplicates_total: z.int(),
  warnings: z.array(z.string()),
  /** Distinct image sizes as [width, height, count], most frequent first, at most 20. */
  sizes: z.array(z.tuple([z.int(), z.int(), z.int()])),
  sizes_total: z.int(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string() }).nullable(),
  created_at: Timestamp,
});
export type DatasetReport = z.infer<typeof DatasetReport>;

export type DatasetState = 'processing' | 'ready' | 'failed';
