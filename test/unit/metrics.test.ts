import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metric } from '../../src/domain/metric.ts';
import { divergence } from '../../src/training/divergence.ts';
import { evaluateMetric } from '../../src/training/metrics.ts';
import { autoRate } from '../../src/training/suggestions.ts';

/** Predictions of one class each, sure of it. */
const predict = (predicted: number[], labels: number[], classes: number) => ({
  scores: predicted.flatMap((p) => Array.from({ length: classes }, (_, c) => Number(c === p))),
  labels,
  classes,
});
const value = (metric: unknown, ...given: Parameters<typeof predict>) =>
  evaluateMetric(Metric.parse(metric), predict(...given));

test('the default average is macro for more than two classes, where a class never predicted counts 0', () => {
  // class 2 is never predicted, class 3 has no image
  const given = [[0, 0, 1, 3], [0, 1, 1, 2], 4] as const;
  const run = (metric: string) => value(metric, [...given[0]], [...given[1]], given[2]);
  assert.equal(run('precision'), (0.5 + 1 + 0 + 0) / 4);
  assert.equal(run('recall'), (1 + 0.5 + 0 + 0) / 4);
  const f2 = (p: number, r: number) => (5 * p * r) / (4 * p + r);
  assert.ok(Math.abs((run('f_beta') ?? 0) - (f2(0.5, 1) + f2(1, 0.5)) / 4) < 1e-8);
});

test('two classes: the score of class 1, a number also when nothing is predicted to be it', () => {
  assert.equal(value('precision', [1, 1, 0], [1, 0, 0], 2), 0.5);
  assert.equal(value('precision', [0, 0], [1, 0], 2), 0);
  assert.equal(value('recall', [0, 0], [0, 0], 2), 0);
  assert.equal(value('f_beta', [0, 0], [1, 0], 2), 0);
});

test('kappa and Matthews’ coefficient are not defined on images of one class', () => {
  assert.equal(value('kappa', [0, 0], [0, 0], 2), null);
  assert.equal(value('matthews_corrcoef', [0, 0], [0, 0], 2), null);
});

test('a loss that jumps and settles ends no job; NaN does, and so does one that stays hopeless', () => {
  const step = (steps: number, loss: number, smoothLoss: number, last = false) =>
    divergence(steps, { loss, smoothLoss, classes: 2, last });
  assert.deepEqual(step(0, 300, 300), { steps: 1, diverged: false });
  assert.deepEqual(step(1, 0.7, 150), { steps: 0, diverged: false });
  assert.deepEqual(step(0, 300, 2, true), { steps: 0, diverged: false });
  assert.equal(step(4, 300, 300).diverged, true);
  assert.equal(step(0, 300, 300, true).diverged, true);
  assert.equal(step(0, Number.NaN, 1).diverged, true);
  assert.equal(step(0, 1, Number.POSITIVE_INFINITY).diverged, true);
});

test('auto takes no rate from a curve of few points, nor from a flat one, and says why', () => {
  const series = (losses: number[]) => ({ lrs: losses.map((_, i) => 1e-4 * 2 ** i), losses });
  const falling = (n: number) => Array.from({ length: n }, (_, i) => 2 - i / n);
  const few = autoRate(series(falling(8)), { numIt: 8, valley: 1e-3 });
  assert.deepEqual([few.lr, /left 3 points/.test(few.reason ?? '')], [null, true]);
  const flat = autoRate(series(new Array<number>(40).fill(0.69)), { numIt: 40, valley: 1e-3 });
  assert.deepEqual([flat.lr, /is flat/.test(flat.reason ?? '')], [null, true]);
  const good = autoRate(series(falling(40)), { numIt: 40, valley: 1e-3 });
  assert.deepEqual(good, { rule: 'valley', lr: 1e-3, reason: null });
});
