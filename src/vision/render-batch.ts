import { roundToBf16 } from '../engine/bfloat16.ts';
import type { DecodedImage } from './decoded-image.ts';
import type { ChannelStats } from './normalize.ts';
import { applyPlan } from './transforms/apply-plan.ts';
import type { Plan } from './transforms/plan.ts';

/**
 * Carries out one plan per image and normalises, into `out` [N,H,W,3], float32 or bfloat16. The referee of
 * the native kernel that does the same.
 */
export function renderBatch(
  images: readonly DecodedImage[],
  plans: readonly Plan[],
  normalize: ChannelStats | null,
  out: Float32Array | Uint16Array,
): void {
  const floats = out instanceof Float32Array ? out : new Float32Array(out.length);
  renderFloats(images, plans, normalize, floats);
  if (out instanceof Uint16Array) roundToBf16(floats, out);
}

function renderFloats(
  images: readonly DecodedImage[],
  plans: readonly Plan[],
  normalize: ChannelStats | null,
  out: Float32Array,
): void {
  const table = normalizedBytes(normalize);
  let at = 0;
  images.forEach((image, n) => {
    const plan = plans[n];
    if (!plan) throw new Error(`image ${n} of ${images.length} has no plan`);
    const length = plan.out[0] * plan.out[1] * 3;
    const target = out.subarray(at, at + length);
    if (isUntouched(image, plan)) lookUp(image.pixels, table, target);
    else {
      target.set(applyPlan(image, plan));
      if (normalize) normalizeInPlace(target, normalize);
    }
    at += length;
  });
  if (at !== out.length) throw new Error(`rendered ${at} numbers into a batch of ${out.length}`);
}

/** Whether every pixel of the output is the same pixel of the image. */
function isUntouched(image: DecodedImage, plan: Plan): boolean {
  const { before, grid, lighting, dihedral, crop, out } = plan;
  return (
    before === null &&
    grid === null &&
    lighting === null &&
    dihedral === 0 &&
    crop[0] === 0 &&
    crop[1] === 0 &&
    out[0] === image.h &&
    out[1] === image.w
  );
}

/** What each byte of each channel becomes: [3][256], rounded to float32 where torch rounds. */
function normalizedBytes(normalize: ChannelStats | null): Float32Array {
  const table = new Float32Array(3 * 256);
  for (let byte = 0; byte < 256; byte++) table.fill(byte / 255, byte * 3, byte * 3 + 3);
  if (normalize) normalizeInPlace(table, normalize);
  return table;
}

/** table[3 * byte + channel] */
function lookUp(pixels: Uint8Array, table: Float32Array, out: Float32Array): void {
  for (let i = 0; i + 2 < pixels.length; i += 3) {
    out[i] = table[3 * (pixels[i] ?? 0)] ?? 0;
    out[i + 1] = table[3 * (pixels[i + 1] ?? 0) + 1] ?? 0;
    out[i + 2] = table[3 * (pixels[i + 2] ?? 0) + 2] ?? 0;
  }
}

/** (x - mean) / std of [..., 3] in 0..1, in place. */
export function normalizeInPlace(out: Float32Array, { mean, std }: ChannelStats): void {
  const means = Float32Array.from(mean);
  const stds = Float32Array.from(std);
  for (let i = 0; i < out.length; i++) {
    const channel = i % 3;
    out[i] = Math.fround((out[i] ?? 0) - (means[channel] ?? 0)) / (stds[channel] ?? 1);
  }
}
