import { annealCos } from './annealing.ts';
import type { Hyper, OneCycle } from './one-cycle.ts';

/**
 * fastai v2's one-cycle (callback/schedule.py combined_cos), which fine_tune runs: a continuous position
 * step/steps where v1 has two phases of whole steps, and a last rate of maxLr/1e5.
 */
export function oneCycleV2(cycle: OneCycle, step: number): Hyper {
  const { steps, maxLr, divFactor, pctStart, moms } = cycle;
  const finalDiv = cycle.finalDiv ?? 1e5;
  const p = step / steps;
  if (p < pctStart) {
    const q = p / pctStart;
    return {
      lr: maxLr.map((max) => annealCos(max / divFactor, max, q)),
      mom: annealCos(moms[0], moms[1], q),
    };
  }
  const q = pctStart === 1 ? 1 : (p - pctStart) / (1 - pctStart);
  return {
    lr: maxLr.map((max) => annealCos(max, max / finalDiv, q)),
    mom: annealCos(moms[1], moms[0], q),
  };
}
