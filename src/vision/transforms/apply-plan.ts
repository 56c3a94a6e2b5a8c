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
  if (plan.before) {
    const [h, w] = plan.before.out;
    const { channels } = source;
    const pixels = applyPlan(source, plan.before);
    return applyPlan({ pixels, h, w, ...(channels && { channels }) }, { ...plan, before: null });
  }
  const channels = source.channels ?? 3;
  const whole: FloatImage = { data: inUnits(source.pixels), h: source.h, w: source.w, channels };
  const image = plan.shrink ? areaShrink(whole, plan.shrink[0], plan.shrink[1]) : whole;
  const [gridH, gridW] = plan.grid ?? [source.h, source.w];
  const transposed = (plan.dihedral & 4) !== 0;
  const [height, width] = transposed ? [gridW, gridH] : [gridH, gridW];
  const [outH, outW] = plan.out;
  const rows = cropped(outH, plan.crop[0], height, plan.paddingMode);
  const columns = cropped(outW, plan.crop[1], width, plan.paddingMode);
  const write = plan.grid ? sampler(image, plan, plan.grid) : copier(image);
  const { lighting } = plan;
  const [flipRows, flipColumns] = [(plan.dihedral & 1) !== 0, (plan.dihedral & 2) !== 0];
  const out = new Float32Array(outH * outW * channels);
  for (let r = 0; r < outH; r++) {
    for (let c = 0; c < outW; c++) {
      const row = rows[r] ?? -1;
      const column = columns[c] ?? -1;
      if (row < 0 || column < 0) continue;
      const fromRow = transposed ? column : row;
      const fromColumn = transposed ? row : column;
      const i = flipRows ? gridH - 1 - fromRow : fromRow;
      const j = flipColumns ? gridW - 1 - fromColumn : fromColumn;
      write(i, j, out, (r * outW + c) * channels);
    }
  }
  if (lighting) {
    for (const row of rows.keys()) {
      // zero padding comes after the lighting, and stays zero
      if ((rows[row] ?? -1) < 0) continue;
      for (const column of columns.keys()) {
        if ((columns[column] ?? -1) < 0) continue;
        relight(out, (row * outW + column) * channels, channels, lighting);
      }
    }
  }
  return out;
}

/** Writes a pixel of the grid, row i and column j, to out[at..]. */
type Writer = (i: number, j: number, out: Float32Array, at: number) => void;

function copier({ data, w, channels }: FloatImage): Writer {
  return (i, j, out, at) => {
    const from = (i * w + j) * channels;
    for (let c = 0; c < channels; c++) out[at + c] = data[from + c] ?? 0;
  };
}

/** Writes what the grid looks at. */
function sampler(
  image: FloatImage,
  { warp, affine, paddingMode }: Plan,
  [gridH, gridW]: readonly [number, number],
): Writer {
  const { data, w, h, channels } = image;
  const stepX = gridW > 1 ? 2 / (gridW - 1) : 0;
  const stepY = gridH > 1 ? 2 / (gridH - 1) : 0;
  const [g0, g1, g2, g3, g4, g5, g6, g7] = warp ?? [1, 0, 0, 0, 1, 0, 0, 0];
  const [a0, a1, a2, a3, a4, a5] = affine ?? [1, 0, 0, 0, 1, 0];
  const settled = (at: number, size: number) =>
    paddingMode === 'reflection'
      ? reflect(at, size)
      : paddingMode === 'border'
        ? clamp(at, size)
        : at;
  return (i, j, out, at) => {
    const x = -1 + j * stepX;
    const y = -1 + i * stepY;
    const z = g6 * x + g7 * y + 1;
    const u = (g0 * x + g1 * y + g2) / z;
    const v = (g3 * x + g4 * y + g5) / z;
    const column = settled(((a0 * u + a1 * v + a2 + 1) / 2) * (w - 1), w);
    const row = settled(((a3 * u + a4 * v + a5 + 1) / 2) * (h - 1), h);
    const left = Math.floor(column);
    const top = Math.floor(row);
    const dx = column - left;
    const dy = row - top;
    for (let corner = 0; corner < 4; corner++) {
      const px = left + (corner & 1);
      const py = top + (corner >> 1);
      const weight = (corner & 1 ? dx : 1 - dx) * (corner >> 1 ? dy : 1 - dy);
      if (weight === 0 || px < 0 || py < 0 || px >= w || py >= h) continue;
      const from = (py * w + px) * channels;
      for (let c = 0; c < channels; c++) {
        out[at + c] = (out[at + c] ?? 0) + weight * (data[from + c] ?? 0);
      }
    }
  };
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
