// What the golden figures do not say (test/parity has those): how arguments are drawn, plans, odd pictures.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Transforms } from '../../src/domain/data-options.ts';
import { keyedRandom } from '../../src/training/random.ts';
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
