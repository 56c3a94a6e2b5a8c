import { z } from 'zod';
import { Transforms } from '../../../src/domain/data-options.ts';
import { imageKernels } from '../../../src/engine/onednn/render.ts';
import { renderNatively } from '../../../src/vision/render-native.ts';
import { applyTransforms } from '../../../src/vision/transforms/apply-transforms.ts';
import { getTransforms, type Transform } from '../../../src/vision/transforms/get-transforms.ts';
import { affineOf, inOrder, planOf } from '../../../src/vision/transforms/plan.ts';
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
import { leaveOut } from '../watched.ts';

const pct = { row_pct: z.number().default(0.5), col_pct: z.number().default(0.5) };
const Padding = z.enum(['reflection', 'border', 'zeros']);
const Side = z.union([z.number(), z.tuple([z.number(), z.number()])]);
/** The arguments that fastai's transforms take, each with its default. */
const argumentsOf = {
  symmetric_warp: z.strictObject({ magnitude: z.array(z.number()).length(4) }),
  rotate: z.strictObject({ degrees: z.number() }),
  zoom: z.strictObject({ scale: z.number().default(1), ...pct }),
  squish: z.strictObject({ scale: z.number().default(1), ...pct }),
  flip_affine: z.strictObject({}),
  dihedral_affine: z.strictObject({ k: z.int().min(0).max(7) }),
  dihedral: z.strictObject({ k: z.int().min(0).max(7) }),
  brightness: z.strictObject({ change: z.number() }),
  contrast: z.strictObject({ scale: z.number() }),
  flip_lr: z.strictObject({}),
  pad: z.strictObject({ padding: z.int(), mode: Padding.default('reflection') }),
  crop: z.strictObject({ size: Side, ...pct }),
  // its own padding_mode gives way to apply_tfms's
  crop_pad: z.strictObject({ ...pct, padding_mode: Padding.optional() }),
};
/** apply_tfms's arguments. */
const Kwargs = z.strictObject({
  size: Side.nullish(),
  resize_method: z.enum(['CROP', 'PAD', 'SQUISH', 'NO']).nullish(),
  padding_mode: Padding.nullish(),
  mult: z.number().nullish(),
});
type Args = Record<string, unknown>;
type Listed = { name: string; p: number; kwargs: Record<string, unknown> };
type Listing = {
  kwargs: Record<string, unknown>;
  train: Listed[];
  valid: Listed[];
  train_sorted_execution_order: string[];
};
type PixelCase = {
  name: string;
  image: Hashed;
  tfms: [string, Args][];
  apply_kwargs: unknown;
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

export async function transformCases(golden: Golden, report: Report): Promise<void> {
  for (const given of golden.pixel_cases ?? []) {
    await report.run(given.name, given, (it) => {
      const { image, list, options } = pixelCase(it);
      const { data, h, w } = applyTransforms(image, list, options);
      const { channels } = image;
      report.same(it.name, 'size', [channels, h, w], it.out_shape);
      report.near(it.name, 'pixels', toNchw([1, h, w, channels], data), it.out, pixels);
    });
  }
  for (const given of golden.affine_matrices ?? []) {
    const name = `affine ${given.tfm} ${JSON.stringify(given.args)}`;
    await report.run(name, given, ({ tfm, args, matrix }) => {
      report.same(name, 'last row', matrix[2], [0, 0, 1]);
      report.near(
        name,
        'matrix',
        affineOf(transformOf([tfm, args])) ?? [],
        matrix.slice(0, 2).flat(),
        exact,
      );
    });
  }
  for (const given of golden.symmetric_warp?.cases ?? []) {
    const name = `symmetric_warp ${JSON.stringify(given.magnitude)}`;
    await report.run(name, given, ({ magnitude, target_points, coeffs8_f64, grid_3x4_after }) => {
      const warp = symmetricWarp(magnitude);
      report.near(name, 'targets', warpTargets(magnitude), target_points, exact);
      report.near(name, 'coefficients', warp, coeffs8_f64, exact);
      const moved = [0, 1, 2].map((i) =>
        [0, 1, 2, 3].map((j) => warpPoint(warp, -1 + (2 * j) / 3, -1 + i)),
      );
      report.near(name, 'grid', moved, grid_3x4_after, pixels);
    });
  }
  if (golden.symmetric_warp) leaveOut(golden.symmetric_warp, ['orig_points']);
  await lighting(golden, report);
  sizes(golden, report);
  for (const [name, listing] of Object.entries(golden.get_transforms ?? {}))
    await report.run(`get_transforms ${name}`, listing, (it) => lists(name, it, report));
  // the pixels hold it
  leaveOut(golden, ['affine_grid']);
}

/** The same pixels from the engine's own renderer, where it has one. */
export async function nativeTransformCases(golden: Golden, report: Report): Promise<void> {
  const kernels = imageKernels();
  // all but the pixels is mathematics, and read above
  for (const key of Object.keys(golden)) if (key !== 'pixel_cases') leaveOut(golden, [key]);
  if (!kernels) leaveOut(golden, ['pixel_cases']);
  else
    for (const it of golden.pixel_cases ?? [])
      await report.run(it.name, it, (given) => native(kernels, given, report));
}

async function native(
  kernels: NonNullable<ReturnType<typeof imageKernels>>,
  it: PixelCase,
  report: Report,
) {
  const { image, list, options } = pixelCase(it);
  const plan = planOf(list, { ...options, inH: image.h, inW: image.w });
  const [h, w] = plan.out;
  const out = new Float32Array(h * w * 3);
  await renderNatively(kernels, [inColour(image)], [plan], null, out);
  // the kernel knows three channels only: of a grey image each is the one
  const planes = toNchw([1, h, w, 3], out);
  const got = Array.from(planes).slice(0, h * w * image.channels);
  report.same(it.name, 'size', [image.channels, h, w], it.out_shape);
  report.near(it.name, 'pixels', got, it.out, pixels);
}

function inColour({ pixels: given, h, w, channels }: ReturnType<typeof pixelCase>['image']) {
  if (channels === 3) return { pixels: given, h, w };
  return {
    pixels: Float32Array.from({ length: h * w * 3 }, (_, i) => given[Math.floor(i / 3)]!),
    h,
    w,
  };
}

function pixelCase({ image, tfms, apply_kwargs }: PixelCase) {
  const kwargs = Kwargs.parse(apply_kwargs);
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

async function lighting({ lighting_extremes: golden }: Golden, report: Report): Promise<void> {
  const [, h = 1, w = 1] = golden?.shape ?? [];
  for (const given of golden?.cases ?? []) {
    const name = `lighting at 0 and 1: ${JSON.stringify(given.tfms)}`;
    await report.run(name, given, ({ tfms, out }) => {
      const image = { pixels: Float32Array.from(golden?.x ?? []), h, w, channels: 1 };
      const { data } = applyTransforms(image, tfms.map(transformOf));
      report.near(name, 'pixels', data, out, pixels);
      // an absolute tolerance says little this close to 0
      report.near(name, 'darkest, relative', data[0] ?? null, out[0] ?? null, { rel: 1e-3 });
    });
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
  const valid = expected.valid.map(({ name: tfm, p, kwargs: given }) => [tfm, p, given]);
  report.same(label, 'validation: the centre', [['crop_pad', 1, {}]], valid);
  // the order is held below, and the defaults by the pixels
  for (const it of [...expected.train, ...expected.valid])
    leaveOut(it, ['kind', 'order', 'def_args']);
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
  const parser = Object.hasOwn(argumentsOf, name) && argumentsOf[name as keyof typeof argumentsOf];
  if (!parser) throw new Error(`no transform ${name}`);
  const { row_pct, col_pct, ...rest } = parser.parse({ ...args }) as Args;
  // the parser's fields are the transform's, but for these two names
  return { name, ...rest, rowPct: row_pct, colPct: col_pct } as unknown as Transform;
}
