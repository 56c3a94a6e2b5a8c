// The images of a batch: decoded and rendered in parts, on other threads where the engine has kernels for it.
// A training step blocks this thread for most of the time and gives it one turn of the event loop before the
// next. So whatever can begin is begun before render() first waits, and a batch takes one turn when its
// images are at hand, and two when they must be decoded.

import type { ImageKernels } from '../engine/onednn/image-kernels.ts';
import { imageKernels } from '../engine/onednn/render.ts';
import { ByteBudget } from './byte-budget.ts';
import type { DecodedImage } from './decoded-image.ts';
import type { LoaderImages } from './loader-images.ts';
import type { ChannelStats } from './normalize.ts';
import { renderBatch } from './render-batch.ts';
import { renderNatively } from './render-native.ts';
import type { Plan } from './transforms/plan.ts';

/** [N,H,W,3] in float32, or in bfloat16 as a Uint16Array. */
export type Pixels = Float32Array | Uint16Array;

/** A part is a task of libuv's pool: the first batch, for which all threads wait, is several. */
const partImagesMax = 16;
const partBytesMax = 32 * 2 ** 20;
/** Decoded pixels that wait to be rendered, of all batches that are being prepared. */
const decodedBytesMax = 128 * 2 ** 20;
const recycledMax = 4;
/** Memory that is kept for the next batches: four of 64 images at 224 px. */
const recycledBytesMax = 160 * 2 ** 20;

export class BatchImages {
  private readonly images: LoaderImages;
  private readonly options: { normalize: ChannelStats | null; storage: 'f32' | 'bf16' };
  private readonly kernels: ImageKernels | null = imageKernels();
  private readonly budget = new ByteBudget(decodedBytesMax);
  private readonly recycled: Pixels[] = [];

  constructor(
    images: LoaderImages,
    options: { normalize: ChannelStats | null; storage: 'f32' | 'bf16' },
  ) {
    this.images = images;
    this.options = options;
  }

  /** The chosen items by their plans, each `imageLength` numbers. */
  async render(
    chosen: readonly number[],
    imageLength: number,
    planOf: (index: number, image: DecodedImage) => Plan,
  ): Promise<Pixels> {
    const out = this.buffer(chosen.length * imageLength);
    const parts: Promise<void>[] = [];
    for (let from = 0; from < chosen.length; ) {
      const to = this.partEnd(chosen, from);
      const target = out.subarray(from * imageLength, to * imageLength);
      parts.push(this.renderPart(chosen.slice(from, to), planOf, target));
      from = to;
    }
    await Promise.all(parts);
    return out;
  }

  /** Takes back a buffer that nobody reads any more. */
  recycle(pixels: Pixels): void {
    const held = this.recycled.reduce((sum, { byteLength }) => sum + byteLength, 0);
    const room = held + pixels.byteLength <= recycledBytesMax && this.recycled.length < recycledMax;
    if (room && !this.recycled.includes(pixels)) this.recycled.push(pixels);
  }

  private async renderPart(
    chosen: readonly number[],
    planOf: (index: number, image: DecodedImage) => Plan,
    out: Pixels,
  ): Promise<void> {
    const bytes = this.bytesOf(chosen);
    const granted = this.budget.take(bytes);
    // awaited only where there is something to wait for: see above
    if (granted) await granted;
    try {
      const found = chosen.map((index) => this.images.get(index));
      const decoded = found.every(isAtHand) ? found : await Promise.all(found);
      const plans = decoded.map((image, i) => planOf(chosen[i] ?? 0, image));
      const { normalize } = this.options;
      if (this.kernels) await renderNatively(this.kernels, decoded, plans, normalize, out);
      else renderBatch(decoded, plans, normalize, out);
    } finally {
      this.budget.give(bytes);
    }
  }

  private partEnd(chosen: readonly number[], from: number): number {
    let to = from + 1;
    while (to < chosen.length && to - from < partImagesMax) {
      if (this.bytesOf(chosen.slice(from, to + 1)) > partBytesMax) break;
      to++;
    }
    return to;
  }

  private bytesOf(chosen: readonly number[]): number {
    return chosen.reduce((sum, index) => sum + this.images.bytesOf(index), 0);
  }

  private buffer(length: number): Pixels {
    const at = this.recycled.findIndex((pixels) => pixels.length === length);
    const [found] = at < 0 ? [] : this.recycled.splice(at, 1);
    if (found) return found;
    return this.options.storage === 'bf16' ? new Uint16Array(length) : new Float32Array(length);
  }
}

function isAtHand(image: DecodedImage | Promise<DecodedImage>): image is DecodedImage {
  return !(image instanceof Promise);
}
