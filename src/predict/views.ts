// An image as a model sees it: decoded, fitted and normalised as validation images were in training, by the same
// plan and the same kernel.

import { Transforms } from '../domain/data-options.ts';
import type { Preprocess } from '../domain/preprocess.ts';
import type { ImageKernels } from '../engine/onednn/image-kernels.ts';
import { loadNative } from '../engine/onednn/native.ts';
import { keyedRandom } from '../training/random.ts';
import { decodeImage } from '../vision/decode.ts';
import type { DecodedImage } from '../vision/decoded-image.ts';
import type { ChannelStats } from '../vision/normalize.ts';
import { orientationOf, turned } from '../vision/orientation.ts';
import { renderBatch } from '../vision/render-batch.ts';
import { renderNatively } from '../vision/render-native.ts';
import { type Plan, planOf } from '../vision/transforms/plan.ts';
import { ttaPasses, ttaTransforms } from '../vision/transforms/tta.ts';
import { Undecodable } from '../vision/undecodable.ts';
import type { Tta } from './request.ts';

/** Why an image cannot be predicted; for the caller. */
export class Unfitting extends Error {}

/** What TTA draws from where a model was trained without transforms: nothing but its own zooms and flips. */
const noTransforms: Transforms = Transforms.parse({
  do_flip: false,
  max_rotate: 0,
  max_zoom: 1,
  max_lighting: 0,
  max_warp: 0,
});
/** Drawings of TTA depend on the pass alone: the same image has the same answer. */
const ttaSeed = 0;
const kernels = kernelsAtHand();

/**
 * [views,3,H,W]: the image itself, and with TTA its eight augmented views.
 * @throws Unfitting
 */
export async function viewsOf(
  encoded: Uint8Array,
  preprocess: Preprocess,
  tta: Tta | null,
): Promise<Float32Array> {
  const image = await decoded(encoded, preprocess);
  const [height, width] = preprocess.size;
  const plans = plansOf(image, preprocess, tta);
  const pixels = new Float32Array(plans.length * height * width * 3);
  const images = plans.map(() => image);
  const { mean, std } = preprocess;
  const stats = { mean, std } as ChannelStats;
  if (kernels) await renderNatively(kernels, images, plans, stats, pixels);
  else renderBatch(images, plans, stats, pixels);
  return channelsFirst(pixels, height * width);
}

function plansOf(image: DecodedImage, preprocess: Preprocess, tta: Tta | null): Plan[] {
  const { size, resize_method, padding_mode } = preprocess;
  if (resize_method === 'no' && (image.h !== size[0] || image.w !== size[1])) {
    throw new Unfitting(
      `the model takes images of ${size[1]}x${size[0]} pixels as they are, this one has ${image.w}x${image.h}`,
    );
  }
  const frame = {
    inH: image.h,
    inW: image.w,
    size,
    resizeMethod: resize_method,
    paddingMode: padding_mode,
  };
  const plain = planOf([], frame);
  if (!tta) return [plain];
  const transforms = tta.transforms ?? noTransforms;
  const augmented = Array.from({ length: ttaPasses }, (_, pass) =>
    planOf(
      ttaTransforms(transforms, { pass, scale: tta.scale }, keyedRandom(ttaSeed, pass)),
      frame,
    ),
  );
  return [plain, ...augmented];
}

async function decoded(
  encoded: Uint8Array,
  { exif_orientation }: Preprocess,
): Promise<DecodedImage> {
  const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  try {
    const image = await decodeImage(bytes);
    return exif_orientation === 'apply' ? await turned(image, await orientationOf(bytes)) : image;
  } catch (error) {
    if (error instanceof Undecodable) throw new Unfitting(error.message);
    throw error;
  }
}

/** [N,H,W,3] -> [N,3,H,W]. */
function channelsFirst(pixels: Float32Array, area: number): Float32Array {
  const planes = new Float32Array(pixels.length);
  for (let begin = 0; begin < pixels.length; begin += 3 * area) {
    for (let channel = 0; channel < 3; channel++) {
      const plane = begin + channel * area;
      for (let i = 0, from = begin + channel; i < area; i++, from += 3) {
        planes[plane + i] = pixels[from] as number;
      }
    }
  }
  return planes;
}

/** The native kernels where the addon is built; else the referee does it, slower. */
function kernelsAtHand(): ImageKernels | null {
  try {
    // the addon is one object; native.ts types its other half
    return loadNative() as unknown as ImageKernels;
  } catch {
    return null;
  }
}
