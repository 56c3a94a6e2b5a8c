import { type DataOfPhase, dataOfPhases } from '../domain/phase-data.ts';
import type { Spec } from '../domain/spec.ts';
import { expandPhases, type RunnablePhase } from '../training/fine-tune.ts';

/** One phase of a run with all that it depends on; nothing of it comes from where the run stands. */
export type PhasePlan = { index: number; phase: RunnablePhase; data: DataOfPhase };

/** The phases of a spec as they are run; a fine_tune is two. */
export function planPhases(spec: Pick<Spec, 'phases' | 'data'>): PhasePlan[] {
  const phases = expandPhases(spec.phases);
  const data = dataOfPhases(spec.data, phases);
  return phases.flatMap((phase, index) => {
    const own = data[index];
    return own ? [{ index, phase, data: own }] : [];
  });
}
