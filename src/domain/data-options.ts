// How images become batches: sizes, transforms, normalisation.

import { z } from 'zod';
import { fraction } from './bounds.ts';

export const ResizeMethod = z.enum(['crop', 'pad', 'squish', 'no']);
export const PaddingMode = z.enum(['reflection', 'border', 'zeros']);

/** get_transforms()'s arguments (fastai vision/transform.py). */
export const Transforms = z.strictObject({
  do_flip: z.boolean().default(true),
  flip_vert: z.boolean().default(false),
  max_rotate: z.number().min(0).max(180).default(10),
  max_zoom: z.number().min(1).max(10).default(1.1),
  max_lighting: z.number().min(0).max(0.95).default(0.2),
  max_warp: z.number().min(0).max(0.9).default(0.2),
  p_affine: fraction.default(0.75),
  p_lighting: fraction.default(0.75),
  /** fastai's rand_pad: so many pixels more on every side, then a crop of the size before, anywhere. */
  rand_pad: z
    .strictObject({
      padding: z.int().min(1).max(256),
      mode: PaddingMode.default('reflection'),
    })
    .nullable()
    .default(null),
});
export type Transforms = z.infer<typeof Transforms>;

const pixels = z.int().min(16).max(1024);
/** One number: square, resized by the method; [height, width]. null keeps each image's own size. */
export const Size = z.union([pixels, z.tuple([pixels, pixels])]).nullable();
const channels = z.tuple([z.number(), z.number(), z.number()]);
const deviations = z.tuple([z.number().positive(), z.number().positive(), z.number().positive()]);

/** `imagenet` statistics, `batch` = those of one training batch, `pretrained` = as the body's model was trained. */
export const Normalize = z
  .union([
    z.enum(['imagenet', 'batch', 'pretrained']),
    z.strictObject({ mean: channels, std: deviations }),
  ])
  .nullable();
export type Normalize = z.infer<typeof Normalize>;

/** Whether images are turned as their EXIF orientation says; fastai ignores it. */
export const ExifOrientation = z.enum(['ignore', 'apply']);
export type ExifOrientation = z.infer<typeof ExifOrientation>;
/** At least 2: the head's batch norms have one value per image, and one has no deviation. */
export const batchSize = z.int().min(2).max(1024);

/** The spec's `data`. */
export const DataOptions = z.strictObject({
  size: Size.default(null),
  resize_method: ResizeMethod.optional(),
  padding_mode: PaddingMode.default('reflection'),
  exif_orientation: ExifOrientation.default('ignore'),
  batch_size: batchSize.default(64),
  normalize: Normalize.optional(),
  valid_pct: z.number().min(0).max(0.99).nullable().default(null),
  transforms: Transforms.nullable().default(null),
});
