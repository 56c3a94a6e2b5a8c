// Numbers that real fastai 1.0.63 computed (test/fixtures/transforms.json); float32 there, so 2e-5.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Transforms } from '../../src/domain/spec.ts';
import { keyedRandom } from '../../src/training/random.ts';
import { applyTransforms } from '../../src/vision/transforms/apply-transforms.ts';
import {
  drawTransforms,
  getTransforms,
  type Transform,
} from '../../src/vision/transforms/get-transforms.ts';
import { affineOf, inOrder, type PaddingMode, planOf } from '../../src/vision/transforms/plan.ts';
import { planTransforms } from '../../src/vision/transforms/plan-transforms.ts';
import {
  cropOffset,
  cropTarget,
  type ResizeMethod,
  resizeTarget,
  type Size,
} from '../../src/vision/transforms/sizes.ts';
import {
  symmetricWarp,
  type Warp,
  warpPoint,
  warpTargets,
} from '../../src/vision/transforms/warp.ts';

const golden = JSON.parse(
  readFileSync(new URL('../fixtures/transforms.json', import.meta.url), 'utf8'),
);
const tolerance = 2e-5;

function close(actual: ArrayLike<number>, expected: ArrayLike<number>, eps = tolerance) {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const error = Math.abs((actual[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    assert.ok(error <= eps, `element ${i}: ${actual[i]}, expected ${expected[i]}`);
  }
}

/** The images of the golden numbers: a hash of the index, uniform in 0..1. */
function hashed(seed: number, n: number, scale: number, offset: number): Float32Array {
  const start = Math.imul(seed, 0x9e3779b9) >>> 0;
  return Float32Array.from({ length: n }, (_, i) => {
    let x = (start + i) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return offset + scale * (2 * (((x ^ (x >>> 16)) >>> 0) / 2 ** 32) - 1);
  });
}

function transformOf([name, args]: [string, Record<string, number>]): Transform {
  const { row_pct: rowPct = 0.5, col_pct: colPct = 0.5, ...rest } = args;
  return { name, ...rest, rowPct, colPct } as unknown as Transform;
}

/** CHW of the golden numbers to our HWC. */
function hwc(chw: ArrayLike<number>, [c, h, w]: [number, number, number]): Float32Array {
  return Float32Array.from(
    { length: c * h * w },
    (_, i) => chw[(i % c) * h * w + Math.floor(i / c)] ?? Number.NaN,
  );
}

type Kwargs = {
  size?: Size;
  resize_method?: string;
  padding_mode?: PaddingMode;
  mult?: number;
};

assert.equal(golden.pixel_cases.length, 36);
for (const { name, image, tfms, apply_kwargs, out_shape, out } of golden.pixel_cases) {
  test(`apply_tfms: ${name} gives fastai's pixels`, () => {
    const [c, h, w] = image.shape;
    const chw = hashed(image.seed, c * h * w, image.scale, image.offset);
    const kwargs: Kwargs = apply_kwargs;
    const result = applyTransforms(
      { pixels: hwc(chw, image.shape), h, w, channels: c },
      tfms.map(transformOf),
      {
        size: kwargs.size ?? null,
        ...(kwargs.resize_method
          ? { resizeMethod: kwargs.resize_method.toLowerCase() as ResizeMethod }
          : {}),
        ...(kwargs.padding_mode ? { paddingMode: kwargs.padding_mode } : {}),
        ...(kwargs.mult ? { mult: kwargs.mult } : {}),
      },
    );
    assert.deepEqual([c, result.h, result.w], out_shape);
    close(result.data, hwc(out, out_shape));
  });
}

test('every affine matrix is fastai’s', () => {
  for (const { tfm, args, matrix } of golden.affine_matrices) {
    const affine = affineOf(transformOf([tfm, args]));
    assert.ok(affine, tfm);
    close(affine, matrix.slice(0, 2).flat(), 1e-12);
  }
});

test('symmetric_warp solves for fastai’s coefficients and moves the grid as it does', () => {
  for (const { magnitude, target_points, coeffs8_f64, grid_3x4_after } of golden.symmetric_warp
    .cases) {
    close(warpTargets(magnitude).flat(), target_points.flat(), 1e-12);
    const warp: Warp = symmetricWarp(magnitude);
    close(warp, coeffs8_f64, 1e-12);
    const moved = [0, 1, 2].flatMap((i) =>
      [0, 1, 2, 3].flatMap((j) => warpPoint(warp, -1 + (2 * j) / 3, -1 + i)),
    );
    close(moved, grid_3x4_after.flat(2));
  }
});

test('lighting stays finite at 0 and 1, with fastai’s values', () => {
  const { x, shape, cases } = golden.lighting_extremes;
  const [, h, w] = shape;
  for (const { tfms, out } of cases) {
    const image = { pixels: Float32Array.from(x as number[]), h, w, channels: 1 };
    const { data } = applyTransforms(image, tfms.map(transformOf));
    close(data, out);
    // absolute tolerance says little this close to 0
    assert.ok(Math.abs((data[0] ?? 0) / out[0] - 1) < 1e-3, `${data[0]} for ${out[0]}`);
  }
});

test('resize targets, multiples and crop offsets are fastai’s', () => {
  for (const { h, w, size, method, resized } of golden.resize_targets) {
    assert.deepEqual(resizeTarget([h, w], cropTarget(size), method === 'CROP'), resized);
  }
  for (const { size, mult, result } of golden.round_multiple) {
    assert.deepEqual(cropTarget(size, mult), result);
  }
  for (const { in_size, out, pct, offset } of golden.crop_offsets) {
    assert.equal(cropOffset(in_size, out, pct), offset);
  }
});

for (const [name, expected] of Object.entries<{
  kwargs: Record<string, unknown>;
  train: { name: string; p: number; kwargs: Record<string, unknown> }[];
  train_sorted_execution_order: string[];
}>(golden.get_transforms)) {
  test(`get_transforms: ${name} has fastai's list, ranges and order`, () => {
    const kwargs = Object.fromEntries(
      Object.entries(expected.kwargs).map(([key, value]) => [
        key,
        value ?? (key === 'max_zoom' ? 1 : 0),
      ]),
    );
    const list = getTransforms(Transforms.parse(kwargs));
    assert.deepEqual(
      list.map(({ name, p }) => [name, p]),
      expected.train.map(({ name, p }) => [name, p]),
    );
    list.forEach(({ ranges }, i) => {
      const { padding_mode: _, ...wanted } = expected.train[i]?.kwargs ?? {};
      assert.deepEqual(Object.keys(ranges).sort(), Object.keys(wanted).sort());
      for (const [key, range] of Object.entries(ranges))
        close(range, wanted[key] as number[], 1e-12);
    });
    assert.deepEqual(
      inOrder(list).map((transform) => transform.name),
      expected.train_sorted_execution_order,
    );
  });
}

test('drawn arguments fill their ranges and nothing else, as often as p says', () => {
  const list = getTransforms(Transforms.parse({}));
  const seen = new Map<string, number[]>();
  const n = 4000;
  for (let item = 0; item < n; item++) {
    for (const { name, ...args } of drawTransforms(list, keyedRandom(1, 0, item))) {
      const values = [...(seen.get(name) ?? []), ...Object.values(args).flat()];
      seen.set(name, values.length > 0 ? values : [...(seen.get(name) ?? []), 0]);
      if (Object.keys(args).length === 0) seen.set(name, [...(seen.get(name) ?? []), 1]);
    }
  }
  const bounds: Record<string, [number, number, number]> = {
    rotate: [-10, 10, 0.75],
    brightness: [0.4, 0.6, 0.75],
    contrast: [0.8, 1.25, 0.75],
  };
  for (const [name, [low, high, p]] of Object.entries(bounds)) {
    const values = seen.get(name) ?? [];
    assert.ok(Math.abs(values.length / n - p) < 0.03, `${name} happens ${values.length / n}`);
    assert.ok(Math.min(...values) >= low && Math.min(...values) < low + (high - low) * 0.02, name);
    assert.ok(
      Math.max(...values) <= high && Math.max(...values) > high - (high - low) * 0.02,
      name,
    );
  }
  const contrasts = (seen.get('contrast') ?? []).map(Math.log);
  const mean = contrasts.reduce((sum, value) => sum + value, 0) / contrasts.length;
  assert.ok(Math.abs(mean) < 0.01, `contrast is log-uniform: mean of the logarithm ${mean}`);
});

test('a validation plan draws nothing: it resizes and crops the centre', () => {
  const options = { train: false, inH: 10, inW: 12, size: 8 };
  const plan = planTransforms(Transforms.parse({}), keyedRandom(1), options);
  assert.deepEqual(plan, planOf([], { inH: 10, inW: 12, size: 8 }));
  assert.deepEqual(plan.crop, [0, 1]);
});

test('a picture of one row survives every resize method', () => {
  const image = { pixels: new Uint8Array(3000 * 3).fill(128), h: 3000, w: 1 };
  for (const resizeMethod of ['crop', 'pad', 'squish'] as const) {
    for (const paddingMode of ['reflection', 'border', 'zeros'] as const) {
      const { data, h, w } = applyTransforms(image, [], { size: 16, resizeMethod, paddingMode });
      assert.deepEqual([h, w], [16, 16]);
      assert.ok(data.every((value) => value === 0 || Math.abs(value - 128 / 255) < 1e-6));
    }
  }
});
