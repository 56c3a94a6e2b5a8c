// What happens to one image, as plain numbers: drawn and planned here, carried out by applyPlan or by a
// native kernel. The order is fastai's: warp and affine maps in one resample, lighting, flips, crop.

import { type Affine, dihedralAffine, multiply, onGrid, rotate, squish, zoom } from './affine.ts';
import type { Transform } from './get-transforms.ts';
import {
  cropOffset,
  cropTarget,
  type Hw,
  type ResizeMethod,
  resizeTarget,
  type Size,
} from './sizes.ts';
import { symmetricWarp, type Warp, warpPoint } from './warp.ts';

export type PaddingMode = 'reflection' | 'border' | 'zeros';

export type Plan = {
  /** The image is first averaged down to this, null where it is not. */
  shrink: Hw | null;
  /** Sampled on a grid of this size through warp, then affine; null where pixels pass untouched. */
  grid: Hw | null;
  warp: Warp | null;
  affine: Affine | null;
  /** logit(pixel) becomes scale * logit(pixel) + shift. */
  lighting: { scale: number; shift: number } | null;
  /** Bit 0 flips rows, bit 1 flips columns, bit 2 then transposes. */
  dihedral: number;
  /** Row and column of the output's first pixel; negative where padding comes first. */
  crop: Hw;
  /** The output's size. */
  out: Hw;
  paddingMode: PaddingMode;
};

export type PlanOptions = {
  inH: number;
  inW: number;
  size: Size | null;
  /** fastai: an int size crops, a pair squishes. */
  resizeMethod?: ResizeMethod;
  paddingMode?: PaddingMode;
  mult?: number;
};

/** fastai's TfmCoord 4, TfmAffine 5, TfmLighting 8, TfmPixel 10, TfmCrop 99. */
const order: Record<Transform['name'], number> = {
  symmetric_warp: 4,
  rotate: 5,
  zoom: 5,
  squish: 5,
  flip_affine: 5,
  dihedral_affine: 5,
  brightness: 8,
  contrast: 8,
  flip_lr: 10,
  dihedral: 10,
  crop_pad: 99,
};

/** The list as it is executed. */
export function inOrder<T extends { name: Transform['name'] }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => order[a.name] - order[b.name]);
}

/** What `apply_tfms(list, size=...)` does to an image of inH x inW. */
export function planOf(list: readonly Transform[], options: PlanOptions): Plan {
  const { inH, inW, size, mult, paddingMode = 'reflection' } = options;
  const method = options.resizeMethod ?? (Array.isArray(size) ? 'squish' : 'crop');
  const target = size === null ? null : cropTarget(size, mult);
  const cropped = target !== null && (method === 'crop' || method === 'pad');
  let grid: Hw = [inH, inW];
  if (target && method === 'squish') grid = target;
  if (target && cropped) grid = resizeTarget([inH, inW], target, method === 'crop');
  const { warp, affine, lighting, dihedral } = combined(inOrder(list), grid);
  const resampled = warp !== null || affine !== null || grid[0] !== inH || grid[1] !== inW;
  const shape: Hw = dihedral & 4 ? [grid[1], grid[0]] : grid;
  const crop = list.find((transform) => transform.name === 'crop_pad');
  const at = crop?.name === 'crop_pad' ? crop : { rowPct: 0.5, colPct: 0.5 };
  return {
    shrink: resampled ? shrinkOf([inH, inW], grid, { warp, affine }) : null,
    grid: resampled ? grid : null,
    warp,
    affine,
    lighting,
    dihedral,
    crop: cropped
      ? [begin(shape[0], target[0], at.rowPct), begin(shape[1], target[1], at.colPct)]
      : [0, 0],
    out: cropped ? target : shape,
    paddingMode,
  };
}

function combined(list: readonly Transform[], grid: Hw) {
  let warp: Warp | null = null;
  let affine: Affine | null = null;
  let lighting: Plan['lighting'] = null;
  let dihedral = 0;
  for (const transform of list) {
    const matrix = affineOf(transform);
    if (matrix) affine = affine ? multiply(affine, matrix) : matrix;
    if (transform.name === 'symmetric_warp') warp = symmetricWarp(transform.magnitude);
    if (transform.name === 'flip_lr') dihedral = compose(dihedral, 2);
    if (transform.name === 'dihedral') dihedral = compose(dihedral, transform.k);
    if (transform.name === 'brightness') {
      const { change } = transform;
      const { scale, shift }: { scale: number; shift: number } = lighting ?? { scale: 1, shift: 0 };
      lighting = { scale, shift: shift + Math.log(change / (1 - change)) };
    }
    if (transform.name === 'contrast') {
      const { scale, shift }: { scale: number; shift: number } = lighting ?? { scale: 1, shift: 0 };
      lighting = { scale: scale * transform.scale, shift: shift * transform.scale };
    }
  }
  return { warp, affine: affine && onGrid(affine, grid[0], grid[1]), lighting, dihedral };
}

/** The matrix of an affine transform, null for any other. */
export function affineOf(transform: Transform): Affine | null {
  switch (transform.name) {
    case 'rotate':
      return rotate(transform.degrees);
    case 'zoom':
      return zoom(transform.scale, transform.rowPct, transform.colPct);
    case 'squish':
      return squish(transform.scale, transform.rowPct, transform.colPct);
    case 'flip_affine':
      return dihedralAffine(1);
    case 'dihedral_affine':
      return dihedralAffine(transform.k);
    default:
      return null;
  }
}

/** The symmetry that does `first`, then `second`. */
function compose(first: number, second: number): number {
  const flips = second & 3;
  const swapped = first & 4 ? ((flips & 1) << 1) | (flips >> 1) : flips;
  return ((first ^ second) & 4) | ((first & 3) ^ swapped);
}

/** The crop's first index, counted in the image before the padding that makes it large enough. */
function begin(size: number, out: number, pct: number): number {
  const padding = Math.max((out - size + 1) >> 1, 0);
  return cropOffset(size + 2 * padding, out, pct) - padding;
}

/** fastai's `_grid_sample`: where sampling would skip over pixels, the image is averaged down first. */
function shrinkOf(
  [h, w]: Hw,
  grid: Hw,
  { warp, affine }: { warp: Warp | null; affine: Affine | null },
): Hw | null {
  const d = Math.min(h / grid[0], w / grid[1]) / 2;
  if (d <= 1) return null;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  // a line stays a line, so the extremes lie in the corners
  for (const x of grid[1] > 1 ? [-1, 1] : [-1]) {
    for (const y of grid[0] > 1 ? [-1, 1] : [-1]) {
      const [u, v] = warp ? warpPoint(warp, x, y) : [x, y];
      const [s, t] = affine
        ? [affine[0] * u + affine[1] * v + affine[2], affine[3] * u + affine[4] * v + affine[5]]
        : [u, v];
      low = Math.min(low, s, t);
      high = Math.max(high, s, t);
    }
  }
  const zoomedIn = 2 / (high - low);
  if (d <= zoomedIn) return null;
  return [Math.floor(h * (1 / d)), Math.floor(w * (1 / d))];
}
