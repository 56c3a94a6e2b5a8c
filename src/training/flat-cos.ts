import { annealCos } from './annealing.ts';

/** fastai's fit_fc: a flat rate up to `startPct` of the steps, then a cosine to 0; momentum is left alone. */
export function flatCos(
  { steps, lr, startPct }: { steps: number; lr: readonly number[]; startPct: number },
  step: number,
): number[] {
  const flat = Math.max(1, Math.trunc(steps * startPct));
  const falling = Math.max(1, steps - Math.trunc(steps * startPct));
  if (step < flat) return [...lr];
  return lr.map((rate) => annealCos(rate, 0, Math.min(1, (step - flat) / falling)));
}
