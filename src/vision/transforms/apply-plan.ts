// The referee of the native kernel: torch's grid_sample (bilinear, align_corners=True), fastai's lighting
// in logit space, flips and the padded crop, evaluated for each pixel that is kept.

import type { PaddingMode, Plan } from './plan.ts';
import { areaShrink, clamp, type FloatImage, reflect } from './resample.ts';

/** An image as it is decoded (0..255) or already in 0..1, [h, w, channels]. */
export type SourceImage = {
  pixels: Uint8Array | Float32Array;
  h: number;
  w: number;
  channels?: number;
};

const tiny = Math.fround(1e-7);
const nearlyOne = Math.fround(1 - 1e-7);

/** Carries out a plan: [out h, out w, channels] in 0..1. */
export function applyPlan(source: SourceImage, plan: Plan): Float32Array {
  const channels = source.channels ?? 3;
  const whole: FloatImage = { data: inUnits(source.pixels), h: source.h, w: source.w, channels };
  const image = plan.shrink ? areaShrink(whole, plan.shrink[0], plan.shrink[1]) : whole;
  const [gridH, gridW] = plan.grid ?? [source.h, source.w];
  const transposed = (plan.dihedral & 4) !== 0;
  const [height, width] = transposed ? [gridW, gridH] : [gridH, gridW];
  const [outH, outW] = plan.out;
  const rows = cropped(outH, plan.crop[0], height, plan.paddingMode);
  const columns = cropped(outW, plan.crop[1], width, plan.paddingMode);
  const out = new Float32Array(outH * outW * channels);
  for (let r = 0; r < outH; r++) {
    for (let c = 0; c < outW; c++) {
      const row = rows[r] ?? -1;
      const column = columns[c] ?? -1;
      if (row < 0 || column < 0) continue;
      const fromRow = transposed ? column : row;
      const fromColumn = transposed ? row : column;
      const i = plan.dihedral & 1 ? gridH - 1 - fromRow : fromRow;
      const j = plan.dihedral & 2 ? gridW - 1 - fromColumn : fromColumn;
      const at = (r * outW + c) * channels;
      if (plan.grid) sample(image, plan, i, j, out, at);
      else
        for (let ch = 0; ch < channels; ch++)
          out[at + ch] = image.data[(i * image.w + j) * channels + ch] ?? 0;
      if (plan.lighting) relight(out, at, channels, plan.lighting);
    }
  }
  return out;
}

function inUnits(pixels: Uint8Array | Float32Array): Float32Array {
  if (pixels instanceof Float32Array) return pixels;
  const units = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) units[i] = (pixels[i] ?? 0) / 255;
  return units;
}

/** The index in `size` of each of `out` indices that begin at `begin`; -1 where padding is zero. */
function cropped(out: number, begin: number, size: number, mode: PaddingMode): Int32Array {
  return Int32Array.from({ length: out }, (_, index) => {
    const at = index + begin;
    if (at >= 0 && at < size) return at;
    if (mode === 'zeros') return -1;
    return mode === 'border' ? clamp(at, size) : reflect(at, size);
  });
}

/** Writes the pixel that row i and column j of the grid look at. */
function sample(
  image: FloatImage,
  { grid, warp, affine, paddingMode }: Plan,
  i: number,
  j: number,
  out: Float32Array,
  at: number,
): void {
  const [gridH, gridW] = grid ?? [1, 1];
  let x = gridW > 1 ? -1 + (2 * j) / (gridW - 1) : -1;
  let y = gridH > 1 ? -1 + (2 * i) / (gridH - 1) : -1;
  if (warp) {
    const w = warp[6] * x + warp[7] * y + 1;
    const u = (warp[0] * x + warp[1] * y + warp[2]) / w;
    y = (warp[3] * x + warp[4] * y + warp[5]) / w;
    x = u;
  }
  if (affine) {
    const u = affine[0] * x + affine[1] * y + affine[2];
    y = affine[3] * x + affine[4] * y + affine[5];
    x = u;
  }
  let column = ((x + 1) / 2) * (image.w - 1);
  let row = ((y + 1) / 2) * (image.h - 1);
  if (paddingMode === 'reflection') {
    column = reflect(column, image.w);
    row = reflect(row, image.h);
  } else if (paddingMode === 'border') {
    column = clamp(column, image.w);
    row = clamp(row, image.h);
  }
  const left = Math.floor(column);
  const top = Math.floor(row);
  const dx = column - left;
  const dy = row - top;
  const { data, w, h, channels } = image;
  for (let corner = 0; corner < 4; corner++) {
    const px = left + (corner & 1);
    const py = top + (corner >> 1);
    const weight = (corner & 1 ? dx : 1 - dx) * (corner >> 1 ? dy : 1 - dy);
    if (weight === 0 || px < 0 || py < 0 || px >= w || py >= h) continue;
    for (let c = 0; c < channels; c++) {
      out[at + c] = (out[at + c] ?? 0) + weight * (data[(py * w + px) * channels + c] ?? 0);
    }
  }
}

function relight(
  out: Float32Array,
  at: number,
  channels: number,
  { scale, shift }: { scale: number; shift: number },
): void {
  for (let c = at; c < at + channels; c++) {
    const value = out[c] ?? 0;
    const x = Math.max(tiny, Math.min(value, nearlyOne));
    const logit = -Math.log(1 / x - 1);
    out[c] = 1 / (1 + Math.exp(-(scale * logit + shift)));
  }
}
