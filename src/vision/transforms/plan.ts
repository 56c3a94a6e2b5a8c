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
  /** Carried out first, its output being this plan's image; null where the image itself is. */
  before: Plan | null;
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

/** fastai's pad -10, TfmCoord 4, TfmAffine 5, TfmLighting 8, TfmPixel 10, TfmCrop 99. */
const order: Record<Transform['name'], number> = {
  pad: -10,
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
  crop: 10,
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
  const fitted = method === 'crop' || method === 'pad';
  const target = size === null ? null : cropTarget(size, mult);
  let grid: Hw = [inH, inW];
  if (target && method === 'squish') grid = target;
  if (target && fitted) grid = resizeTarget([inH, inW], target, method === 'crop');
  let plan: Plan | null = null;
  for (const part of parts(inOrder(list))) {
    const image: Hw = plan ? plan.out : [inH, inW];
    if (plan) grid = plan.out;
    // what fastai was told of the padding is forgotten once it has sampled
    const sampling = hasSampled(plan) ? 'reflection' : paddingMode;
    plan = partOf(part, { before: plan, image, grid, paddingMode: sampling });
  }
  const crop = list.find((transform) => transform.name === 'crop_pad');
  const end = plan ?? untouched([inH, inW]);
  if (!fitted || (!target && !crop)) return withoutIdle(end);
  const { rowPct, colPct } = crop?.name === 'crop_pad' ? crop : { rowPct: 0.5, colPct: 0.5 };
  return withoutIdle(padCropped(end, target ?? [inH, inW], { rowPct, colPct, paddingMode }));
}

/** A list in its order, cut behind each padding and each crop: what follows sees another image. */
function parts(ordered: readonly Transform[]): Transform[][] {
  const result: Transform[][] = [[]];
  for (const transform of ordered) {
    result.at(-1)?.push(transform);
    if (transform.name === 'pad' || transform.name === 'crop') result.push([]);
  }
  return result;
}

/** One pass over an image: resampled to `grid`, lit, flipped, then padded or cropped by the part's last transform. */
function partOf(
  part: readonly Transform[],
  frame: { before: Plan | null; image: Hw; grid: Hw; paddingMode: PaddingMode },
): Plan {
  const { before, image, grid } = frame;
  const { warp, affine, lighting, dihedral } = combined(part, grid);
  const resampled =
    warp !== null || affine !== null || grid[0] !== image[0] || grid[1] !== image[1];
  const shape: Hw = dihedral & 4 ? [grid[1], grid[0]] : grid;
  const plan: Plan = {
    before,
    shrink: resampled ? shrinkOf(image, grid, { warp, affine }) : null,
    grid: resampled ? grid : null,
    warp,
    affine,
    lighting,
    dihedral,
    crop: [0, 0],
    out: shape,
    paddingMode: frame.paddingMode,
  };
  const last = part.at(-1);
  if (last?.name === 'pad') return padded(plan, last);
  return last?.name === 'crop' ? cropped(plan, last) : plan;
}

/** Nothing that pads comes with a transform that looks outside of the image: one padding mode is enough. */
function padded(plan: Plan, { padding, mode }: { padding: number; mode: PaddingMode }): Plan {
  const [h, w] = plan.out;
  const out: Hw = [h + 2 * padding, w + 2 * padding];
  return { ...plan, crop: [-padding, -padding], out, paddingMode: mode };
}

function cropped(
  plan: Plan,
  { size, rowPct, colPct }: { size: Size; rowPct: number; colPct: number },
): Plan {
  const out = cropTarget(size);
  const [h, w] = plan.out;
  return { ...plan, crop: [cropOffset(h, out[0], rowPct), cropOffset(w, out[1], colPct)], out };
}

/** fastai's crop_pad behind a plan: in the same pass, but where that one samples with another padding. */
function padCropped(
  plan: Plan,
  out: Hw,
  { rowPct, colPct, paddingMode }: { rowPct: number; colPct: number; paddingMode: PaddingMode },
): Plan {
  const [h, w] = plan.out;
  if (h === out[0] && w === out[1]) return plan;
  const crop: Hw = [begin(h, out[0], rowPct), begin(w, out[1], colPct)];
  if (plan.grid === null || plan.paddingMode === paddingMode) {
    return { ...plan, crop, out, paddingMode };
  }
  return { ...untouched([h, w]), before: plan, crop, out, paddingMode };
}

function untouched(out: Hw): Plan {
  const nothing = { before: null, shrink: null, grid: null, warp: null, affine: null };
  return {
    ...nothing,
    lighting: null,
    dihedral: 0,
    crop: [0, 0],
    out,
    paddingMode: 'reflection',
  };
}

function hasSampled(plan: Plan | null): boolean {
  return plan !== null && (plan.grid !== null || hasSampled(plan.before));
}

/** The plan without a last pass that does nothing. */
function withoutIdle(plan: Plan): Plan {
  const { before, grid, lighting, dihedral, crop, out } = plan;
  if (!before || grid || lighting || dihedral !== 0) return plan;
  const whole =
    crop[0] === 0 && crop[1] === 0 && out[0] === before.out[0] && out[1] === before.out[1];
  return whole ? before : plan;
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
