import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  beta,
  keyedRandom,
  NumpyRandom,
  permutation,
  type Random,
} from '../../src/training/random.ts';

const take = (random: Random, n: number) => Array.from({ length: n }, () => random.next());
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
const variance = (values: number[]) => {
  const m = mean(values);
  return mean(values.map((value) => (value - m) ** 2));
};

test('equal keys give equal streams, and every part of a key counts', () => {
  assert.deepEqual(take(keyedRandom(42, 1, 0), 5), take(keyedRandom(42, 1, 0), 5));
  const keys = [[42], [42, 0], [0, 42], [42, 1], [43], [42 + 2 ** 32], [-1], []];
  const first = keys.map((key) => keyedRandom(...key).next());
  assert.equal(new Set(first).size, keys.length);
});

test('the stream never changes between versions, or resumed runs would differ', () => {
  const words = take(keyedRandom(42, 3, 7), 3).map((value) => value * 2 ** 32);
  assert.deepEqual(words, [4271117420, 277241145, 2108053277]);
});

test('numbers are uniform, within a stream and across neighbouring keys', () => {
  const streams = [
    take(keyedRandom(1, 2), 50_000),
    Array.from({ length: 50_000 }, (_, item) => keyedRandom(7, 0, item).next()),
    Array.from({ length: 50_000 }, (_, epoch) => keyedRandom(7, epoch, 3).next()),
  ];
  for (const values of streams) {
    const bins = new Array<number>(100).fill(0);
    for (const value of values)
      bins[Math.floor(value * 100)] = (bins[Math.floor(value * 100)] ?? 0) + 1;
    const chi2 = bins.reduce((sum, count) => sum + (count - 500) ** 2 / 500, 0);
    // 99 degrees of freedom: mean 99, deviation 14
    assert.ok(chi2 > 50 && chi2 < 160, `chi2 ${chi2}`);
    const lagged = mean(
      values.slice(1).map((value, i) => (value - 0.5) * ((values[i] ?? 0) - 0.5)),
    );
    assert.ok(Math.abs(lagged) < 5 * (1 / 12 / Math.sqrt(50_000)), `lag-1 covariance ${lagged}`);
  }
});

test('normal numbers have mean 0, variance 1 and a normal tail', () => {
  const random = keyedRandom(5);
  const values = Array.from({ length: 100_000 }, () => random.normal());
  assert.ok(Math.abs(mean(values)) < 0.015);
  assert.ok(Math.abs(variance(values) - 1) < 0.02);
  const beyond2 = values.filter((value) => Math.abs(value) > 2).length / values.length;
  assert.ok(Math.abs(beyond2 - 0.0455) < 0.004, `beyond two deviations: ${beyond2}`);
});

test('below(n) reaches every number under n and none above', () => {
  const random = keyedRandom(6);
  const counts = new Array<number>(7).fill(0);
  for (let i = 0; i < 70_000; i++) {
    const value = random.below(7);
    counts[value] = (counts[value] ?? Number.NaN) + 1;
  }
  for (const count of counts) assert.ok(Math.abs(count - 10_000) < 500, `${counts}`);
  assert.equal(random.below(1), 0);
});

test('a permutation holds every index once and differs from epoch to epoch', () => {
  const first = permutation(1000, 42, 0);
  assert.deepEqual(
    [...first].sort((a, b) => a - b),
    Array.from({ length: 1000 }, (_, i) => i),
  );
  assert.deepEqual(permutation(1000, 42, 0), first);
  assert.notDeepEqual(permutation(1000, 42, 1), first);
  assert.equal(permutation(0, 1).length, 0);
});

test('beta(a, a) has the mean and the variance of the distribution', () => {
  for (const a of [0.2, 0.4, 1, 3]) {
    const random = keyedRandom(9, a * 10);
    const values = Array.from({ length: 40_000 }, () => beta(random, a, a));
    assert.ok(values.every((value) => value >= 0 && value <= 1));
    assert.ok(Math.abs(mean(values) - 0.5) < 0.012, `mean ${mean(values)}`);
    assert.ok(
      Math.abs(variance(values) - 1 / (4 * (2 * a + 1))) < 0.005,
      `a ${a}: ${variance(values)}`,
    );
  }
});

test('NumpyRandom draws the permutations of np.random.seed', () => {
  assert.deepEqual([...new NumpyRandom(42).permutation(10)], [8, 1, 5, 0, 7, 2, 9, 4, 3, 6]);
  assert.equal(new NumpyRandom(2 ** 32 - 1).permutation(1000).length, 1000);
});
