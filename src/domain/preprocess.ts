import { z } from 'zod';
import { ExifOrientation, PaddingMode, ResizeMethod } from './data-options.ts';

/** How an image becomes a model's input: preprocess.json, beside each export. */
export const Preprocess = z.object({
  /** Name of the model's input. */
  input: z.string(),
  layout: z.enum(['NCHW', 'NHWC']),
  color: z.literal('RGB'),
  /** [height, width] of the input. */
  size: z.tuple([z.int(), z.int()]),
  /** Whether images were turned as their EXIF orientation says before anything else. */
  exif_orientation: ExifOrientation,
  /** To `size`: `crop` fills it and cuts the middle out, `pad` fits into it, `squish` ignores the aspect, `no` takes
   * images as they are. */
  resize_method: ResizeMethod,
  /** What stands where `pad` leaves room. */
  padding_mode: PaddingMode,
  interpolation: z.object({
    mode: z.literal('bilinear'),
    /** Whether the centres of the corner pixels stay where they are (PyTorch's word). */
    align_corners: z.literal(true),
    /** An image more than so many times larger than the target, in both directions, is first averaged by area down to
     * that multiple. */
    area_above: z.literal(2),
  }),
  /** Pixels divided by 255, less `mean`, divided by `std`, per channel. */
  mean: z.array(z.number()).length(3),
  std: z.array(z.number()).length(3),
  /** In the order of the outputs. */
  classes: z.array(z.string()),
});
export type Preprocess = z.infer<typeof Preprocess>;
