import { FitOneCyclePhase, type MaxLr } from '../../../src/domain/phase.ts';
import { parseSpec } from '../../../src/domain/spec.ts';
import { groupRates, schedule } from '../../../src/learner/schedule.ts';
import { oneCycle } from '../../../src/training/one-cycle.ts';
import type { Report } from '../report.ts';
import { leaveOut } from '../watched.ts';
import { lrSpec } from './lr-range.ts';

type Case = {
  batches_per_epoch: number;
  epochs: number;
  groups: number;
  max_lr: number | number[] | { slice: [number | null, number] };
  kwargs: Record<string, unknown> & { moms?: number | [number, number]; tot_epochs?: number };
  n_steps_run: number;
  lr_is_per_group: boolean;
  epoch_of_step_first_last: number[];
  resolved_max_lr: number[];
  lr_per_step: (number | number[])[];
  mom_per_step: number[];
  lr_left_in_opt_after: number[];
  mom_left_in_opt_after: number;
};

export async function oneCycleCases(
  golden: { cases: Record<string, Case> },
  report: Report,
): Promise<void> {
  for (const [name, given] of Object.entries(golden.cases)) {
    await report.run(name, given, (it) => one(name, it, report));
  }
}

function one(name: string, it: Case, report: Report): void {
  const { batches_per_epoch: batches, epochs, groups, kwargs } = it;
  const { moms } = kwargs;
  const given = { ...kwargs, ...(typeof moms === 'number' ? { moms: [moms, moms] } : {}) };
  const max_lr = lrSpec(it.max_lr) as MaxLr;
  const phase = FitOneCyclePhase.parse({ type: 'fit_one_cycle', epochs, max_lr, ...given });
  const rates = groupRates(max_lr, { groups, lastFind: undefined });
  const plan = schedule(phase, { rates, batches, mom: 0.9 });
  const steps = it.lr_per_step.map((_, i) => plan.at(plan.first + i));
  report.same(
    name,
    'rates per group',
    rates.some((lr) => lr !== rates[0]),
    it.lr_is_per_group,
  );
  const epochOf = (i: number) => Math.floor((plan.first + i) / batches);
  report.same(name, 'epochs', [epochOf(0), epochOf(steps.length - 1)], it.epoch_of_step_first_last);
  const rows = steps.map(({ lr }, i) => (Array.isArray(it.lr_per_step[i]) ? lr : (lr.at(-1) ?? 0)));
  const tolerance = { rel: 1e-9 };
  report.near(name, 'lr', rows, it.lr_per_step, tolerance);
  report.near(
    name,
    'mom',
    steps.map(({ mom }) => mom),
    it.mom_per_step,
    tolerance,
  );
  const resolved = it.resolved_max_lr.length === 1 ? [rates[0] ?? 0] : rates;
  report.near(name, 'max_lr of each group', resolved, it.resolved_max_lr, tolerance);
  if (kwargs.tot_epochs !== undefined && epochs > kwargs.tot_epochs) {
    // fastai trains one batch more and stops; onecycle refuses the spec and says so
    report.same(name, 'refused', refused({ type: 'fit_one_cycle', epochs, ...given }), true);
    leaveOut(it, ['n_steps_run', 'lr_left_in_opt_after', 'mom_left_in_opt_after']);
    return;
  }
  report.same(name, 'steps', plan.end - plan.first, it.n_steps_run);
  const cycle = {
    steps: batches * (phase.tot_epochs ?? epochs),
    maxLr: rates,
    divFactor: phase.div_factor,
    finalDiv: phase.final_div,
    pctStart: phase.pct_start,
    moms: phase.moms,
  };
  const left = oneCycle(cycle, plan.end);
  report.near(name, 'lr left', left.lr, it.lr_left_in_opt_after, tolerance);
  report.near(name, 'mom left', left.mom, it.mom_left_in_opt_after, tolerance);
}

function refused(phase: Record<string, unknown>): boolean {
  try {
    parseSpec({ dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV', phases: [phase] });
    return false;
  } catch {
    return true;
  }
}
