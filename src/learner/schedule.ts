import type { LrFindResult } from '../domain/event.ts';
import type { MaxLr } from '../domain/phase.ts';
import { problem } from '../domain/problem.ts';
import type { RunnablePhase } from '../training/fine-tune.ts';
import { flatCos } from '../training/flat-cos.ts';
import { lrRange } from '../training/lr-range.ts';
import { type Hyper, oneCycle } from '../training/one-cycle.ts';
import { oneCycleV2 } from '../training/one-cycle-v2.ts';

export type FitPhase = Exclude<RunnablePhase, { type: 'lr_find' }>;

/**
 * The rate of each group that a phase asks for; "auto" is the last range test's, for every group or as
 * slice(lr/100, lr).
 * @throws Problem `no_suggestion`, `invalid_spec`
 */
export function groupRates(
  lr: MaxLr,
  { groups, lastFind }: { groups: number; lastFind: LrFindResult | undefined },
): number[] {
  const sliced = typeof lr === 'object' && !Array.isArray(lr) && lr.slice === 'auto';
  if (lr !== 'auto' && !sliced)
    return lrRange(lr as Exclude<MaxLr, 'auto' | { slice: 'auto' }>, groups);
  const suggested = lastFind?.auto.lr;
  if (!suggested) {
    const reason = lastFind?.auto.reason ?? 'no lr_find came before it';
    throw problem('no_suggestion', `"auto" has no rate to take: ${reason}`);
  }
  return lrRange(sliced ? { slice: [suggested / 100, suggested] } : suggested, groups);
}

/** The first and last step of a phase, and what each step uses. */
export function schedule(
  phase: FitPhase,
  options: { rates: number[]; batches: number; mom: number },
): { first: number; end: number; at: (step: number) => Hyper } {
  const { rates, batches, mom } = options;
  if (phase.type === 'fit_one_cycle') {
    const cycle = {
      steps: batches * (phase.tot_epochs ?? phase.epochs),
      maxLr: rates,
      divFactor: phase.div_factor,
      finalDiv: phase.final_div,
      pctStart: phase.pct_start,
      moms: phase.moms,
    };
    const at = phase.schedule === 'v2' ? oneCycleV2 : oneCycle;
    return {
      first: (phase.start_epoch ?? 0) * batches,
      end: phase.epochs * batches,
      at: (step) => at(cycle, step),
    };
  }
  const steps = phase.epochs * batches;
  if (phase.type === 'fit') return { first: 0, end: steps, at: () => ({ lr: rates, mom }) };
  const flat = { steps, lr: rates, startPct: phase.start_pct };
  return { first: 0, end: steps, at: (step) => ({ lr: flatCos(flat, step), mom }) };
}
