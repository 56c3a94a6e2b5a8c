// The learning-rate range test (Smith 2015, arXiv:1506.01186) by fastai1 callbacks/lr_finder.py.

import { annealExp } from './annealing.ts';

/** startLr and endLr: a rate for each layer group. */
export type LrSweep = {
  startLr: readonly number[];
  endLr: readonly number[];
  numIt: number;
  stopDiv: boolean;
};

/** Each group's rate at step `step`, 0-based; end_lr itself is never used, as in fastai. */
export function lrFindRates({ startLr, endLr, numIt }: LrSweep, step: number): number[] {
  return startLr.map((start, group) => annealExp(start, endLr[group] ?? start, step / numIt));
}

/** The lowest smoothed loss so far and whether to stop after this step. */
export function lrFindStop(
  sweep: LrSweep,
  { step, smoothLoss, best }: { step: number; smoothLoss: number; best: number },
): { best: number; stop: boolean } {
  const lowest = step === 0 || smoothLoss < best ? smoothLoss : best;
  const diverged = sweep.stopDiv && (smoothLoss > 4 * lowest || Number.isNaN(smoothLoss));
  return { best: lowest, stop: step + 1 >= sweep.numIt || diverged };
}
