import { Transforms } from '../../../src/domain/data-options.ts';
import { imageKernels } from '../../../src/engine/onednn/render.ts';
import { renderNatively } from '../../../src/vision/render-native.ts';
import { applyTransforms } from '../../../src/vision/transforms/apply-transforms.ts';
import { getTransforms, type Transform } from '../../../src/vision/transforms/get-transforms.ts';
import {
  affineOf,
  inOrder,
  type PaddingMode,
  planOf,
} from '../../../src/vision/transforms/plan.ts';
import {
  cropOffset,
  cropTarget,
  type ResizeMethod,
  resizeTarget,
  type Size,
} from '../../../src/vision/transforms/sizes.ts';
import { symmetricWarp, warpPoint, warpTargets } from '../../../src/vision/transforms/warp.ts';
import { type Hashed, tensorValues, toNchw, toNhwc } from '../golden-tensors.ts';
import type { Report } from '../report.ts';

type Args = Record<string, number>;
type Kwargs = { size?: Size; resize_method?: string; padding_mode?: PaddingMode; mult?: number };
type Listing = {
  kwargs: Record<string, unknown>;
  train: { name: string; p: number; kwargs: Record<string, unknown> }[];
  train_sorted_execution_order: string[];
};
type PixelCase = {
  name: string;
  image: Hashed;
  tfms: [string, Args][];
  apply_kwargs: Kwargs;
  out_shape: number[];
  out: number[];
};
type Golden = {
  affine_matrices?: { tfm: string; args: Args; matrix: number[][] }[];
  symmetric_warp?: {
    cases: {
      magnitude: [number, number, number, number];
      target_points: number[][];
      coeffs8_f64: number[];
      grid_3x4_after: number[][][];
    }[];
  };
  lighting_extremes?: {
    x: number[];
    shape: number[];
    cases: { tfms: [string, Args][]; out: number[] }[];
  };
  pixel_cases?: PixelCase[];
  resize_targets?: { h: number; w: number; size: Size; method: string; resized: number[] }[];
  round_multiple?: { size: Size; mult: number; result: number[] }[];
  crop_offsets?: { in_size: number; out: number; pct: number; offset: number }[];
  get_transforms?: Record<string, Listing>;
};

const pixels = { abs: 2e-5 };
const exact = { abs: 1e-12 };

export function transformCases(golden: Golden, report: Report): void {
  for (const it of golden.pixel_cases ?? []) {
    const { image, list, options } = pixelCase(it);
    const { data, h, w } = applyTransforms(image, list, options);
    const { channels } = image;
    report.same(it.name, 'size', [channels, h, w], it.out_shape);
    report.near(it.name, 'pixels', toNchw([1, h, w, channels], data), it.out, pixels);
  }
  for (const { tfm, args, matrix } of golden.affine_matrices ?? []) {
    const name = `affine ${tfm} ${JSON.stringify(args)}`;
    report.near(
      name,
      'matrix',
      affineOf(transformOf([tfm, args])) ?? [],
      matrix.slice(0, 2).flat(),
      exact,
    );
  }
  for (const { magnitude, target_points, coeffs8_f64, grid_3x4_after } of golden.symmetric_warp
    ?.cases ?? []) {
    const name = `symmetric_warp ${JSON.stringify(magnitude)}`;
    const warp = symmetricWarp(magnitude);
    report.near(name, 'targets', warpTargets(magnitude), target_points, exact);
    report.near(name, 'coefficients', warp, coeffs8_f64, exact);
    const moved = [0, 1, 2].map((i) =>
      [0, 1, 2, 3].map((j) => warpPoint(warp, -1 + (2 * j) / 3, -1 + i)),
    );
    report.near(name, 'grid', moved, grid_3x4_after, pixels);
  }
  lighting(golden, report);
  sizes(golden, report);
  for (const [name, listing] of Object.entries(golden.get_transforms ?? {}))
    lists(name, listing, report);
}

/** The same pixels from the engine's own renderer, where it has one. */
export async function nativeTransformCases(golden: Golden, report: Report): Promise<void> {
  const kernels = imageKernels();
  if (!kernels) return;
  for (const it of golden.pixel_cases ?? []) {
    const { image, list, options } = pixelCase(it);
    const plan = planOf(list, { ...options, inH: image.h, inW: image.w });
    const [h, w] = plan.out;
    const out = new Float32Array(h * w * 3);
    await renderNatively(kernels, [inColour(image)], [plan], null, out);
    // the kernel knows three channels only: of a grey image each is the one
    const planes = toNchw([1, h, w, 3], out);
    const got = Array.from(planes).slice(0, h * w * image.channels);
    report.near(it.name, 'pixels', got, it.out, pixels);
  }
}

function inColour({ pixels: given, h, w, channels }: ReturnType<typeof pixelCase>['image']) {
  if (channels === 3) return { pixels: given, h, w };
  return {
    pixels: Float32Array.from({ length: h * w * 3 }, (_, i) => given[Math.floor(i / 3)]!),
    h,
    w,
  };
}

function pixelCase({ image, tfms, apply_kwargs: kwargs }: PixelCase) {
  const { shape, values } = toNhwc({ ...tensorValues(image), shape: [1, ...image.shape] });
  const [, h = 0, w = 0, channels = 0] = shape;
  const options = {
    size: kwargs.size ?? null,
    ...(kwargs.resize_method
      ? { resizeMethod: kwargs.resize_method.toLowerCase() as ResizeMethod }
      : {}),
    ...(kwargs.padding_mode ? { paddingMode: kwargs.padding_mode } : {}),
    ...(kwargs.mult ? { mult: kwargs.mult } : {}),
  };
  return { image: { pixels: values, h, w, channels }, list: tfms.map(transformOf), options };
}

function lighting({ lighting_extremes: golden }: Golden, report: Report): void {
  const [, h = 1, w = 1] = golden?.shape ?? [];
  for (const { tfms, out } of golden?.cases ?? []) {
    const image = { pixels: Float32Array.from(golden?.x ?? []), h, w, channels: 1 };
    const { data } = applyTransforms(image, tfms.map(transformOf));
    const name = `lighting at 0 and 1: ${JSON.stringify(tfms)}`;
    report.near(name, 'pixels', data, out, pixels);
    // an absolute tolerance says little this close to 0
    report.near(name, 'darkest, relative', data[0] ?? null, out[0] ?? null, { rel: 1e-3 });
  }
}

function sizes(golden: Golden, report: Report): void {
  for (const { h, w, size, method, resized } of golden.resize_targets ?? []) {
    const target = resizeTarget([h, w], cropTarget(size), method === 'CROP');
    report.same(
      'resize targets',
      `${h}x${w} to ${JSON.stringify(size)}, ${method}`,
      target,
      resized,
    );
  }
  for (const { size, mult, result } of golden.round_multiple ?? []) {
    report.same('round to a multiple', `${size} of ${mult}`, cropTarget(size, mult), result);
  }
  for (const { in_size, out, pct, offset } of golden.crop_offsets ?? []) {
    report.same(
      'crop offsets',
      `${in_size} to ${out} at ${pct}`,
      cropOffset(in_size, out, pct),
      offset,
    );
  }
}

function lists(name: string, expected: Listing, report: Report): void {
  const label = `get_transforms ${name}`;
  // null switches a transform off, as 0 does; for a zoom that is 1
  const kwargs = Object.fromEntries(
    Object.entries(expected.kwargs).map(([key, value]) => [
      key,
      value ?? (key === 'max_zoom' ? 1 : 0),
    ]),
  );
  const list = getTransforms(Transforms.parse(kwargs));
  const wanted = expected.train.map(({ name: tfm, p }) => [tfm, p]);
  report.same(
    label,
    'names and p',
    list.map(({ name: tfm, p }) => [tfm, p]),
    wanted,
  );
  list.forEach(({ name: tfm, ranges }, i) => {
    const { padding_mode: _, ...given } = expected.train[i]?.kwargs ?? {};
    const keys = Object.keys(given).sort();
    report.same(label, `arguments of ${tfm}`, Object.keys(ranges).sort(), keys);
    if (keys.length === 0) return;
    const ours = keys.map((key) => [...(ranges[key as keyof typeof ranges] ?? [])]);
    report.near(
      label,
      `ranges of ${tfm}`,
      ours,
      keys.map((key) => given[key] as number[]),
      exact,
    );
  });
  report.same(
    label,
    'order',
    inOrder(list).map(({ name: tfm }) => tfm),
    expected.train_sorted_execution_order,
  );
}

function transformOf([name, args]: [string, Args]): Transform {
  const { row_pct: rowPct = 0.5, col_pct: colPct = 0.5, ...rest } = args;
  return { name, ...rest, rowPct, colPct } as unknown as Transform;
}
