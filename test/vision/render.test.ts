// The native renderer against its referee, plan by plan, and what it refuses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Transforms } from '../../src/domain/data-options.ts';
import { fromBf16, roundToBf16 } from '../../src/engine/bfloat16.ts';
import type { RenderJob } from '../../src/engine/onednn/image-kernels.ts';
import { planStride } from '../../src/engine/onednn/image-kernels.ts';
import { mixInJs } from '../../src/learner/targets.ts';
import { keyedRandom, permutation, type Random } from '../../src/training/random.ts';
import type { DecodedImage } from '../../src/vision/decoded-image.ts';
import { imagenetStats } from '../../src/vision/normalize.ts';
import { renderBatch } from '../../src/vision/render-batch.ts';
import { renderNatively } from '../../src/vision/render-native.ts';
import type { Transform } from '../../src/vision/transforms/get-transforms.ts';
import { type PaddingMode, type Plan, planOf } from '../../src/vision/transforms/plan.ts';
import { planTransforms } from '../../src/vision/transforms/plan-transforms.ts';
import type { ResizeMethod } from '../../src/vision/transforms/sizes.ts';
import { builtKernels, notBuilt } from './native-kernels.ts';

const kernels = await builtKernels();
const skip = notBuilt(kernels);
const paddings: PaddingMode[] = ['reflection', 'border', 'zeros'];
const methods: ResizeMethod[] = ['crop', 'pad', 'squish', 'no'];

function picture(h: number, w: number, random: Random, kind = random.below(4)): DecodedImage {
  const pixels = Uint8Array.from({ length: h * w * 3 }, (_, i) => {
    if (kind === 0) return random.below(256);
    if (kind === 1) return random.below(2) * 255;
    if (kind === 2) return (37 * Math.floor(i / 3)) & 255;
    return i % 97 < 60 ? 255 : 128 + (i % 50);
  });
  return { pixels, h, w };
}

async function native(
  images: readonly DecodedImage[],
  plans: readonly Plan[],
  out: Float32Array | Uint16Array,
  normalize: typeof imagenetStats | null = null,
) {
  assert.ok(kernels);
  await renderNatively(kernels, images, plans, normalize, out);
  return out;
}

function sizeOf(plans: readonly Plan[]): number {
  return plans.reduce((sum, { out }) => sum + out[0] * out[1] * 3, 0);
}

function worst(a: ArrayLike<number>, b: ArrayLike<number>): number {
  assert.equal(a.length, b.length);
  let off = 0;
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs((a[i] ?? Number.NaN) - (b[i] ?? Number.NaN));
    off = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(off, difference);
  }
  return off;
}

/** Anything that a spec can ask for, to pictures of any size, and dihedral and squish besides. */
function drawn(n: number): { images: DecodedImage[]; plans: Plan[] } {
  const random = keyedRandom(7, n);
  const side = () => 1 + random.below(random.below(4) === 0 ? 130 : 40);
  const images: DecodedImage[] = [];
  const plans: Plan[] = [];
  for (let i = 0; i < n; i++) {
    const image = picture(side(), side(), random);
    const options = {
      inH: image.h,
      inW: image.w,
      size: [null, 16, 1 + random.below(60), [9, 21] as const][random.below(4)] ?? null,
      resizeMethod: methods[random.below(4)] ?? 'crop',
      paddingMode: paddings[i % 3] ?? 'zeros',
    };
    images.push(image);
    if (i % 4 === 0) {
      const list: Transform[] = [
        { name: 'dihedral', k: random.below(8) },
        { name: 'dihedral_affine', k: random.below(8) },
        { name: 'squish', scale: 0.5 + random.next(), rowPct: random.next(), colPct: 0.3 },
        { name: 'crop_pad', rowPct: random.next(), colPct: random.next() },
      ];
      plans.push(planOf(list.slice(0, 1 + random.below(4)), options));
    } else {
      const transforms = Transforms.parse({
        flip_vert: random.below(2) === 0,
        max_rotate: random.below(180),
        max_zoom: 1 + 3 * random.next(),
        max_warp: 0.5 * random.next(),
        p_affine: 0.5,
      });
      plans.push(planTransforms(transforms, random, { train: true, ...options }));
    }
  }
  return { images, plans };
}

test('random plans come out as the referee has them, within 2e-5', { skip }, async () => {
  const { images, plans } = drawn(1500);
  for (const mark of ['shrink', 'grid', 'warp', 'affine', 'lighting'] as const) {
    assert.ok(plans.filter((plan) => plan[mark] !== null).length > 50, `few plans have ${mark}`);
  }
  assert.ok(plans.filter(({ crop }) => crop[0] < 0 || crop[1] < 0).length > 50);
  assert.equal(new Set(plans.map(({ dihedral }) => dihedral)).size, 8);
  for (let n = 0; n < images.length; n++) {
    const [one, plan] = [images.slice(n, n + 1), plans.slice(n, n + 1)];
    const expected = new Float32Array(sizeOf(plan));
    renderBatch(one, plan, null, expected);
    const got = await native(one, plan, new Float32Array(expected.length));
    const off = worst(got, expected);
    assert.ok(off <= 2e-5, `${off} at ${images[n]?.h}x${images[n]?.w} ${JSON.stringify(plan[0])}`);
  }
});

test('a batch in bfloat16 is the float32 batch, rounded', { skip }, async () => {
  const { images, plans } = drawn(120);
  const floats = await native(images, plans, new Float32Array(sizeOf(plans)), imagenetStats);
  const rounded = new Uint16Array(floats.length);
  roundToBf16(floats as Float32Array, rounded);
  assert.deepEqual(
    await native(images, plans, new Uint16Array(floats.length), imagenetStats),
    rounded,
  );
  const referee = new Uint16Array(floats.length);
  renderBatch(images, plans, imagenetStats, referee);
  // one unit in the last place where both stand beside a tie
  const [a, b] = [fromBf16(rounded), fromBf16(referee)];
  assert.ok(
    a.every((value, i) => Math.abs(value - (b[i] ?? 0)) <= 2 ** -7 * Math.abs(value) + 1e-4),
  );
});

test('untouched pictures are the referee’s to the bit, in both types', { skip }, async () => {
  const random = keyedRandom(3);
  const images = [picture(28, 28, random, 0), picture(1, 1, random), picture(3, 200, random, 0)];
  const plans = images.map(({ h, w }) => planOf([], { inH: h, inW: w, size: null }));
  for (const normalize of [null, imagenetStats]) {
    for (const type of [Float32Array, Uint16Array]) {
      const expected = new type(sizeOf(plans));
      renderBatch(images, plans, normalize, expected);
      assert.deepEqual(await native(images, plans, new type(expected.length), normalize), expected);
    }
  }
});

test('pictures of one pixel, one row and one column survive everything', { skip }, async () => {
  const random = keyedRandom(4);
  const always = Transforms.parse({ p_affine: 1, p_lighting: 1 });
  for (const [h, w] of [
    [1, 1],
    [1, 2],
    [2, 1],
    [1, 3000],
    [3000, 1],
    [2, 2],
  ] as const) {
    for (const paddingMode of paddings) {
      for (const resizeMethod of ['crop', 'pad', 'squish'] as const) {
        const image = picture(h, w, random, 2);
        const options = { train: true, inH: h, inW: w, size: 16, resizeMethod, paddingMode };
        const plan = planTransforms(always, random, options);
        const expected = new Float32Array(sizeOf([plan]));
        renderBatch([image], [plan], null, expected);
        const off = worst(
          await native([image], [plan], new Float32Array(expected.length)),
          expected,
        );
        assert.ok(off <= 2e-5, `${off} at ${h}x${w}, ${paddingMode}, ${resizeMethod}`);
      }
    }
  }
});

test('rows wider than a strip, and batches that run side by side', { skip }, async () => {
  const random = keyedRandom(5);
  const image = picture(40, 700, random, 0);
  const always = Transforms.parse({ p_affine: 1, p_lighting: 1 });
  const options = { train: true, inH: 40, inW: 700, size: [60, 900] as const };
  const plans = [0, 1, 2, 3].map(() => planTransforms(always, random, options));
  const results = await Promise.all(
    plans.map((plan) => native([image], [plan], new Float32Array(sizeOf([plan])), imagenetStats)),
  );
  results.forEach((result, i) => {
    const expected = new Float32Array(result.length);
    renderBatch([image], plans.slice(i, i + 1), imagenetStats, expected);
    assert.ok(worst(result, expected) <= 1e-4);
  });
});

test('a warp through infinity writes numbers and reads nothing outside', { skip }, async () => {
  const image = picture(9, 9, keyedRandom(6), 0);
  const plan = planOf([], { inH: 9, inW: 9, size: 24 });
  for (const paddingMode of paddings) {
    for (const z of [1, -1, 2, 1e300, 1e-300]) {
      const warp = [1e200, 0, 0, 0, 1, 0, z, 0] as const;
      const out = await native(
        [image],
        [{ ...plan, paddingMode, warp }],
        new Float32Array(24 * 24 * 3),
      );
      assert.ok(out.every((value) => value >= 0 && value <= 1));
    }
  }
});

test('hostile arguments are errors that name the image, before anything runs', { skip }, () => {
  const plan = [
    4, 5, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 4, 5, 0,
  ];
  assert.equal(plan.length, planStride);
  const call = (changes: object) => {
    const job = { images: [new Uint8Array(60)], plans: Float64Array.from(plan), normalize: null };
    return kernels?.renderBatch({ ...job, out: new Float32Array(60), ...changes } as RenderJob);
  };
  const refused = (changes: object, pattern: RegExp) =>
    assert.throws(() => call(changes), { name: 'TypeError', message: pattern });
  const planned = (index: number, value: number) => ({
    plans: Float64Array.from(plan, (given, i) => (i === index ? value : given)),
  });
  refused({ images: null }, /^renderBatch: images: expected an array/);
  refused({ images: ['x'] }, /^renderBatch: image 0: expected a Uint8Array/);
  refused({ images: [new Uint8Array(59)] }, /image 0: pixels: expected 4x5x3 = 60 values, got 59/);
  refused({ images: [] }, /plans: expected a Float64Array of 0 values for 0 images/);
  refused({ plans: new Float64Array(28) }, /plans: expected a Float64Array of 29 values/);
  refused({ plans: new Float32Array(29) }, /plans: expected a Float64Array/);
  refused({ normalize: new Float32Array(5) }, /normalize: expected null or a Float32Array of 3/);
  refused({ normalize: undefined }, /normalize: expected null/);
  refused({ out: new Float32Array(59) }, /out: expected 60 values for 1 images, got 59/);
  refused({ out: new Float64Array(60) }, /out: expected a Float32Array, or a Uint16Array/);
  refused({ out: null }, /out: expected/);
  const out = new Float32Array(60);
  structuredClone(out, { transfer: [out.buffer] });
  refused({ out }, /out: expected 60 values for 1 images, got 0/);
  for (let index = 0; index < planStride; index++) {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      refused(planned(index, value), /image 0: .*expected a finite number/);
    }
  }
  for (const index of [0, 1, 2, 3, 4, 5, 20, 23, 26, 27, 28]) {
    refused(planned(index, -1), /image 0: .*expected a whole number/);
    refused(planned(index, 0.5), /image 0: .*expected a whole number/);
    refused(planned(index, 1e15), /image 0: .*expected a whole number/);
  }
  refused(planned(0, 0), /height: expected a whole number in 1\.\./);
  refused(planned(2, 2), /shrink: expected two sizes/);
  refused(planned(4, 2), /grid: expected two sizes/);
  refused(planned(23, 8), /dihedral: expected a whole number in 0\.\.7, got 8/);
  refused(planned(26, 5), /out: expected 75 values/);
  refused(planned(27, 2 ** 28), /out: expected/);
  assert.throws(() => kernels?.renderBatch(null as unknown as RenderJob), /expected \{images/);
});

test('mixup of rows is the referee’s to the bit, in both types', { skip }, () => {
  const [n, width] = [7, 333];
  const random = keyedRandom(8);
  const lambdas = Float32Array.from({ length: n }, () => random.next());
  const order = permutation(n, 9);
  const rows = Float32Array.from({ length: n * width }, () => 4 * random.next() - 2);
  const halves = new Uint16Array(rows.length);
  roundToBf16(rows, halves);
  for (const x of [rows, halves]) {
    const y = x instanceof Uint16Array ? new Uint16Array(x.length) : new Float32Array(x.length);
    kernels?.mixRows(n, width, lambdas, order, x, y);
    assert.deepEqual(y, mixInJs<Float32Array | Uint16Array>(x, lambdas, order));
  }
  const y = new Float32Array(rows.length);
  const mixes = (other: Uint32Array, x = rows, to: Float32Array | Uint16Array = y) =>
    kernels?.mixRows(n, width, lambdas, other, x, to);
  assert.throws(
    () => mixes(Uint32Array.from(order, (row) => row + 1)),
    /order: expected rows below/,
  );
  assert.throws(() => mixes(order.subarray(1)), /order: expected 7 values/);
  assert.throws(() => mixes(order, rows.subarray(1)), /x: expected 2331 values, got 2330/);
  assert.throws(() => mixes(order, rows, halves), /y: expected the storage type/);
  assert.throws(() => mixes(order, rows, rows), /y: expected an array other than x/);
});

test('bfloat16 rounds to the nearest, ties to even, and keeps NaN', () => {
  const values = Float32Array.of(1, 1 + 2 ** -8, 1 + 3 * 2 ** -8, -0, Number.NaN, 3.4e38, Infinity);
  const out = new Uint16Array(values.length);
  roundToBf16(values, out);
  assert.deepEqual([...fromBf16(out)], [1, 1, 1 + 2 ** -6, -0, Number.NaN, Infinity, Infinity]);
});
