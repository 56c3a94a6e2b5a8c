import { problem } from '../domain/problem.ts';

/** A learning rate as fastai takes it. */
export type LrSpec =
  | number
  | readonly number[]
  | { slice: readonly [number] | readonly [number, number] };

/**
 * The rate of each layer group (fastai basic_train.py lr_range): a number is everybody's, slice(a,b) grows
 * by equal factors, slice(b) is b for the head and b/10 for all others, a list is per group.
 * @throws Problem `invalid_spec` where fastai would fail or do something else in silence
 */
export function lrRange(lr: LrSpec, groups: number): number[] {
  if (typeof lr === 'number') return new Array<number>(groups).fill(lr);
  if (isList(lr)) {
    if (lr.length === groups) return [...lr];
    throw problem(
      'invalid_spec',
      `expected ${groups} rates, one per layer group, got ${lr.length}`,
    );
  }
  const [first, last] = lr.slice;
  if (last === undefined) return [...new Array<number>(groups - 1).fill(first / 10), first];
  if (groups === 1) {
    throw problem('invalid_spec', 'slice(a, b) needs at least 2 layer groups, there is 1');
  }
  return evenMults(first, last, groups);
}

// Array.isArray does not narrow readonly arrays
function isList(lr: LrSpec): lr is readonly number[] {
  return Array.isArray(lr);
}

/** n numbers from a to b by equal factors (fastai core.py even_mults). */
export function evenMults(a: number, b: number, n: number): number[] {
  const factor = (b / a) ** (1 / (n - 1));
  return Array.from({ length: n }, (_, i) => a * factor ** i);
}
