// Batches of a split. Which items a batch holds, and what the transforms draw for each, is keyed by
// (seed, epoch, item) alone: a loader that begins at step 7 gives what one that came from step 0 gives.

import type { ExifOrientation, Transforms } from '../domain/data-options.ts';
import { type ManifestItem, sizeOf } from '../domain/dataset.ts';
import { problem } from '../domain/problem.ts';
import { keyedRandom, permutation } from '../training/random.ts';
import { BatchImages, type Pixels } from './batch-images.ts';
import { LoaderImages } from './loader-images.ts';
import type { ChannelStats } from './normalize.ts';
import { type PaddingMode, type Plan, planOf } from './transforms/plan.ts';
import { planTransforms } from './transforms/plan-transforms.ts';
import { cropTarget, type Hw, type ResizeMethod, type Size } from './transforms/sizes.ts';
import { ttaTransforms } from './transforms/tta.ts';

/** Batches that are prepared while one is trained on: one is decoded, one rendered, one ready. */
const batchesAheadMax = 3;
/** Where batches are large, fewer. */
const bytesAheadMax = 512 * 2 ** 20;
/** What a key is for, so that two uses of one seed and epoch never share a stream. */
const purposes = { shuffle: 11, transforms: 12, tta: 13 };

export type LoaderOptions = {
  items: readonly ManifestItem[];
  imagesPath: string;
  classes: readonly string[];
  /** [height, width], or one number for a square; null keeps the images' own, which must be one. */
  size: Size | null;
  resizeMethod: ResizeMethod;
  paddingMode: PaddingMode;
  /** Whether images are turned as their EXIF orientation says; not, where it is left out. */
  exifOrientation?: ExifOrientation;
  transforms: Transforms | null;
  train: boolean;
  batchSize: number;
  normalize: ChannelStats | null;
  /** How the engine stores tensors. */
  storage: 'f32' | 'bf16';
  seed: number;
  shuffle: boolean;
  dropLast: boolean;
  /** A pass of test-time augmentation in place of what `train` says. */
  tta?: { pass: number; scale: number };
};

export type Batch = {
  /** [N,H,W,3], normalised; the receiver's to keep. */
  images: Pixels;
  shape: [number, number, number, number];
  /** [N] indices into classes. */
  labels: Int32Array;
  /** [N] indices into the loader's items. */
  items: number[];
};

export type Loader = {
  batchesPerEpoch: number;
  imageSize: [number, number];
  batches(epoch: number, options?: { startStep?: number }): AsyncIterable<Batch>;
  /** The receiver's thanks, where it has no more use for a batch: its memory serves for another one. */
  recycle(batch: Batch): void;
  close(): void;
};

/**
 * A loader of these items.
 * @throws Problem `sizes_differ`, `batch_too_large`
 */
export function createLoader(options: LoaderOptions): Loader {
  const { items, batchSize, dropLast } = options;
  const imageSize = imageSizeOf(options);
  if (options.train && dropLast && items.length < batchSize) {
    throw problem(
      'batch_too_large',
      `There are ${items.length} training images, one batch takes ${batchSize}`,
      { hint: `Set data.batch_size to at most ${Math.max(1, items.length)}.` },
    );
  }
  const classIndex = new Map(options.classes.map((label, index) => [label, index]));
  const labels = Int32Array.from(items, ({ file, label }) => {
    const index = classIndex.get(label);
    if (index === undefined) throw new Error(`${file} is of class ${label}, which is none`);
    return index;
  });
  const batchesPerEpoch = dropLast
    ? Math.floor(items.length / batchSize)
    : Math.ceil(items.length / batchSize);
  const images = new LoaderImages(options.imagesPath, items, options.exifOrientation);
  const rendered = new BatchImages(images, options);
  const imageLength = imageSize[0] * imageSize[1] * 3;
  const batchBytes = batchSize * imageLength * (options.storage === 'bf16' ? 2 : 4);
  const most = Math.min(batchesAheadMax, Math.max(1, Math.floor(bytesAheadMax / batchBytes)));
  const load = async (order: ArrayLike<number>, epoch: number, step: number): Promise<Batch> => {
    const end = Math.min(items.length, (step + 1) * batchSize);
    const chosen: number[] = [];
    for (let i = step * batchSize; i < end; i++) chosen.push(order[i] ?? 0);
    return {
      images: await rendered.render(chosen, imageLength, (index, image) =>
        planOfItem(options, epoch, index, image),
      ),
      shape: [chosen.length, imageSize[0], imageSize[1], 3],
      labels: Int32Array.from(chosen, (index) => labels[index] ?? 0),
      items: chosen,
    };
  };
  return {
    batchesPerEpoch,
    imageSize,
    batches: (epoch, { startStep = 0 } = {}) => {
      const order = orderOf(options, epoch);
      const steps = { begin: startStep, end: batchesPerEpoch };
      return ahead(steps, most, (step) => load(order, epoch, step));
    },
    recycle: (batch) => rendered.recycle(batch.images),
    close: () => images.close(),
  };
}

function orderOf({ items, shuffle, seed }: LoaderOptions, epoch: number): ArrayLike<number> {
  return shuffle
    ? permutation(items.length, seed, purposes.shuffle, epoch)
    : Uint32Array.from(items, (_, index) => index);
}

/**
 * Results of `load` in order, `most` of them begun before they are asked for: two at first, so that the
 * first does not queue behind many, and the rest before that one is handed out.
 */
async function* ahead<T>(
  { begin, end }: { begin: number; end: number },
  most: number,
  load: (step: number) => Promise<T>,
): AsyncGenerator<T> {
  const pending: Promise<T>[] = [];
  let next = begin;
  const fill = (count: number) => {
    while (next < end && pending.length < count) {
      const loading = load(next++);
      // who awaits it sees its error; nobody may, after a break
      loading.catch(() => {});
      pending.push(loading);
    }
  };
  fill(Math.min(2, most));
  for (let oldest = pending.shift(); oldest; oldest = pending.shift()) {
    const loaded = await oldest;
    fill(most);
    yield loaded;
  }
}

function planOfItem(
  { transforms, train, seed, size, resizeMethod, paddingMode, tta }: LoaderOptions,
  epoch: number,
  index: number,
  image: { h: number; w: number },
): Plan {
  const frame = { inH: image.h, inW: image.w, size, resizeMethod, paddingMode };
  if (tta && transforms) {
    const random = keyedRandom(seed, purposes.tta, tta.pass, index);
    return planOf(ttaTransforms(transforms, tta, random), frame);
  }
  const random = train && transforms ? keyedRandom(seed, purposes.transforms, epoch, index) : null;
  return planTransforms(transforms, random, { train, ...frame });
}

/** The one size that all images have when they leave the loader. */
function imageSizeOf({
  items,
  size,
  resizeMethod,
  exifOrientation = 'ignore',
}: LoaderOptions): [number, number] {
  if (size !== null && resizeMethod !== 'no') return cropTarget(size);
  const sizes = new Map<string, { hw: Hw; count: number }>();
  for (const item of items) {
    const [width, height] = sizeOf(item, exifOrientation);
    const key = `${width}x${height}`;
    const seen = sizes.get(key) ?? { hw: [height, width] as const, count: 0 };
    seen.count++;
    sizes.set(key, seen);
  }
  const [first, ...others] = [...sizes].sort((a, b) => b[1].count - a[1].count);
  if (others.length > 0) {
    const shown = [...sizes].sort((a, b) => b[1].count - a[1].count).slice(0, 5);
    throw problem(
      'sizes_differ',
      `The images have ${sizes.size} different sizes, as ${shown.map(([name, { count }]) => `${name} (${count})`).join(', ')}; without a size they must all have one`,
    );
  }
  return first ? [first[1].hw[0], first[1].hw[1]] : [0, 0];
}
