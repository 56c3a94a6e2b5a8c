import { NumpyRandom } from './random.ts';

/** Indices of the training and the validation set of a data set. */
export type Split = { train: number[]; valid: number[] };

/**
 * fastai's `split_by_rand_pct(valid_pct, seed)` of n items: NumPy's permutation, of which the first
 * int(validPct * n) validate, in that order; the others train, in ascending order.
 */
export function splitByRandPct(n: number, validPct: number, seed: number): Split {
  const order = new NumpyRandom(seed).permutation(n);
  const valid = [...order.subarray(0, Math.trunc(validPct * n))];
  const held = new Set(valid);
  const train: number[] = [];
  for (let index = 0; index < n; index++) if (!held.has(index)) train.push(index);
  return { train, valid };
}
