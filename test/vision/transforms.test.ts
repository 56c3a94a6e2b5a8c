// What the golden figures do not say (test/parity has those): how arguments are drawn, plans, odd pictures.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Transforms } from '../../src/domain/data-options.ts';
import { keyedRandom } from '../../src/training/random.ts';
import { applyPlan } from '../../src/vision/transforms/apply-plan.ts';
import { applyTransforms } from '../../src/vision/transforms/apply-transforms.ts';
import { drawTransforms, getTransforms } from '../../src/vision/transforms/get-transforms.ts';
import { planOf } from '../../src/vision/transforms/plan.ts';
import { planTransforms } from '../../src/vision/transforms/plan-transforms.ts';

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

test('rand_pad pads before all else, and the crop behind it is as large as the image was', () => {
  const transforms = Transforms.parse({
    do_flip: false,
    max_rotate: 0,
    max_zoom: 1,
    max_lighting: 0,
    max_warp: 0,
    rand_pad: { padding: 4, mode: 'zeros' },
  });
  const pixels = new Float32Array(8 * 8 * 3).fill(1);
  const seen = new Set<number>();
  for (let key = 0; key < 20; key++) {
    const options = { inH: 8, inW: 8, size: null, train: true };
    const plan = planTransforms(transforms, keyedRandom(key), options);
    assert.deepEqual(plan.out, [8, 8]);
    seen.add(applyPlan({ pixels, h: 8, w: 8 }, plan).reduce((sum, value) => sum + value, 0));
  }
  assert.ok(seen.size > 5, 'the crop lies where the drawing says');
  assert.ok(Math.min(...seen) < 8 * 8 * 3, 'zeros came in from the side');
});
