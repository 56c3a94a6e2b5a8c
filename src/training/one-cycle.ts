// The one-cycle policy as a pure function of the step (Smith 2018, arXiv:1803.09820; the numbers are
// fastai1 callbacks/one_cycle.py's, golden one_cycle.json).

import { annealCos } from './annealing.ts';

export type OneCycle = {
  /** Steps of the whole cycle: batches per epoch times epochs. */
  steps: number;
  /** Peak rate of each layer group. */
  maxLr: readonly number[];
  divFactor: number;
  /** null: divFactor * 1e4. */
  finalDiv: number | null;
  pctStart: number;
  moms: readonly [number, number];
};

export type Hyper = { lr: number[]; mom: number };

/** Rate of each group and momentum that step `step` uses; step 0 is the first batch. */
export function oneCycle(cycle: OneCycle, step: number): Hyper {
  const { maxLr, divFactor, pctStart, moms } = cycle;
  const finalDiv = cycle.finalDiv ?? divFactor * 1e4;
  const up = Math.trunc(cycle.steps * pctStart);
  const rising = Math.max(1, up);
  const falling = Math.max(1, cycle.steps - up);
  if (step <= rising) {
    const p = step / rising;
    return {
      lr: maxLr.map((max) => annealCos(max / divFactor, max, p)),
      mom: annealCos(moms[0], moms[1], p),
    };
  }
  const p = Math.min(1, (step - rising) / falling);
  return {
    lr: maxLr.map((max) => annealCos(max, max / finalDiv, p)),
    mom: annealCos(moms[1], moms[0], p),
  };
}
