import type { Run } from './run-state.ts';

/** Weight decay of each layer group in a phase: its own, or the optimiser's. */
export function phaseWd(run: Run, wd: number | readonly number[] | null): number[] {
  const value = wd ?? run.spec.optimizer.wd;
  if (typeof value !== 'number') return [...value];
  return new Array<number>(run.learner.model.groups).fill(value);
}
