import type { z } from 'zod';
import type { FitOneCyclePhase, Phase } from '../domain/phase.ts';

/** `schedule: 'v2'` where fine_tune made it: fastai v2's cycle (one-cycle-v2.ts). */
type OneCyclePhase = z.infer<typeof FitOneCyclePhase> & { schedule?: 'v2' };
/** A phase as the learner runs it. */
export type RunnablePhase = Exclude<Phase, { type: 'fine_tune' | 'fit_one_cycle' }> | OneCyclePhase;

/**
 * fastai v2's fine_tune as the two one-cycle phases that it is: frozen at slice(base_lr) with pct_start
 * 0.99, then unfrozen at slice(base_lr/2/lr_mult, base_lr/2). Other phases pass as they are.
 */
export function expandPhases(phases: readonly Phase[]): RunnablePhase[] {
  return phases.flatMap((phase): RunnablePhase[] => {
    if (phase.type !== 'fine_tune') return [phase];
    const { base_lr: base, lr_mult: mult, wd, data } = phase;
    const common = {
      type: 'fit_one_cycle' as const,
      schedule: 'v2' as const,
      final_div: null,
      moms: [0.95, 0.85] as [number, number],
      tot_epochs: null,
      start_epoch: null,
      wd,
      data,
    };
    const frozen: OneCyclePhase = {
      ...common,
      epochs: Math.max(1, phase.freeze_epochs),
      max_lr: base === 'auto' ? { slice: 'auto' } : { slice: [base] },
      pct_start: 0.99,
      div_factor: 25,
      freeze: true,
    };
    const unfrozen: OneCyclePhase = {
      ...common,
      epochs: phase.epochs,
      max_lr: base === 'auto' ? { slice: 'auto' } : { slice: [base / 2 / mult, base / 2] },
      pct_start: phase.pct_start,
      div_factor: phase.div,
      freeze: false,
    };
    return phase.freeze_epochs === 0 ? [unfrozen] : [frozen, unfrozen];
  });
}
