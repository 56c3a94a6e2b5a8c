import { parseSpec } from '../../../src/domain/spec.ts';
import { groupRates, schedule } from '../../../src/learner/schedule.ts';
import { expandPhases } from '../../../src/training/fine-tune.ts';
import { lrRange } from '../../../src/training/lr-range.ts';
import { oneCycleV2 } from '../../../src/training/one-cycle-v2.ts';
import type { Report } from '../report.ts';
import { leaveOut } from '../watched.ts';
import { lrSpec } from './lr-range.ts';

type Cycle = {
  batches_per_epoch: number;
  epochs: number;
  lr_per_step_per_group: number[][];
  mom_per_step: number[];
  args: {
    lr: [number | null, number];
    div: number;
    div_final: number;
    pct_start: number;
    moms: [number, number, number];
  };
};
type Golden = Record<string, Cycle | { frozen: Cycle; unfrozen: Cycle } | unknown>;

// v2 computes the position within a part of the cycle in float32
const tolerance = { rel: 2e-6 };

export async function v2Cases(golden: Golden, report: Report): Promise<void> {
  // what fastai v2 does where nothing is asked: onecycle's defaults are v1's
  leaveOut(golden, ['defaults']);
  for (const [name, given] of Object.entries(golden)) {
    if (name === 'meta' || name === 'defaults') continue;
    await report.run(name, given, (it) => {
      if (isFineTune(it)) fineTune(name, it, report);
      else if (isCycle(it)) cycle(name, it, report);
    });
  }
}

function fineTune(name: string, it: { frozen: Cycle; unfrozen: Cycle }, report: Report): void {
  const base = it.frozen.args.lr[1];
  // v2's own, and what it made of base_lr: the rates below hold them
  for (const { args } of [it.frozen, it.unfrozen]) {
    leaveOut(args, ['lr', 'div', 'div_final', 'pct_start', 'moms']);
  }
  const { epochs, args } = it.unfrozen;
  const spec = parseSpec({
    dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV',
    phases: [
      {
        type: 'fine_tune',
        epochs,
        base_lr: base,
        freeze_epochs: it.frozen.epochs,
        div: args.div,
        pct_start: args.pct_start,
      },
    ],
  });
  const phases = expandPhases(spec.phases);
  for (const [index, expected] of [it.frozen, it.unfrozen].entries()) {
    const phase = phases[index];
    if (phase?.type !== 'fit_one_cycle') continue;
    const rates = groupRates(phase.max_lr, { groups: 3, lastFind: undefined });
    const plan = schedule(phase, { rates, batches: expected.batches_per_epoch, mom: 0.95 });
    const steps = Array.from({ length: plan.end }, (_, step) => plan.at(step));
    const part = index === 0 ? 'frozen' : 'unfrozen';
    report.same(
      name,
      `${part} batches`,
      [plan.first, plan.end],
      [0, expected.batches_per_epoch * expected.epochs],
    );
    report.near(
      name,
      `${part} lr`,
      steps.map(({ lr }) => lr),
      expected.lr_per_step_per_group,
      tolerance,
    );
    report.near(
      name,
      `${part} mom`,
      steps.map(({ mom }) => mom),
      expected.mom_per_step,
      tolerance,
    );
  }
}

function cycle(name: string, it: Cycle, report: Report): void {
  const { args } = it;
  report.same(name, 'momentum ends where it began', args.moms[2], args.moms[0]);
  const steps = it.batches_per_epoch * it.epochs;
  const groups = it.lr_per_step_per_group[0]?.length ?? 1;
  const options = {
    steps,
    maxLr: lrRange(lrSpec({ slice: args.lr }), groups),
    divFactor: args.div,
    finalDiv: args.div_final,
    pctStart: args.pct_start,
    moms: [args.moms[0], args.moms[1]] as const,
  };
  const rows = Array.from({ length: steps }, (_, step) => oneCycleV2(options, step));
  report.near(
    name,
    'lr',
    rows.map(({ lr }) => lr),
    it.lr_per_step_per_group,
    tolerance,
  );
  report.near(
    name,
    'mom',
    rows.map(({ mom }) => mom),
    it.mom_per_step,
    tolerance,
  );
}

function isCycle(it: unknown): it is Cycle {
  return typeof it === 'object' && it !== null && 'lr_per_step_per_group' in it;
}
function isFineTune(it: unknown): it is { frozen: Cycle; unfrozen: Cycle } {
  return typeof it === 'object' && it !== null && 'frozen' in it && 'unfrozen' in it;
}
