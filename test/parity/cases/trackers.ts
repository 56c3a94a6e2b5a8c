// Cases carry their options in their names alone, as the golden files have them; the one under one-cycle
// names no patience and was run with 1.

import { oneCycle } from '../../../src/training/one-cycle.ts';
import { improves, newTracker, track, trackerMode } from '../../../src/training/trackers.ts';
import type { Report } from '../report.ts';
import { leaveOut } from '../watched.ts';

type Case = {
  valid_losses: number[];
  accuracies: number[];
  epochs_requested: number;
  epochs_run: number;
  saves: [string, number][];
  lr_per_group_after_each_epoch: number[][];
  loads: string[];
  printed: string[];
};

export async function trackerCases(
  golden: { cases: Record<string, Case> },
  report: Report,
): Promise<void> {
  for (const [name, given] of Object.entries(golden.cases)) {
    await report.run(name, given, (it) => one(name, it, report));
  }
}

function one(name: string, it: Case, report: Report): void {
  // what it says beside its numbers
  leaveOut(it, ['printed']);
  // every case has both; one is tracked
  leaveOut(it, ['valid_losses', 'accuracies', 'epochs_requested']);
  const monitor = name.includes('accuracy') ? 'accuracy' : 'valid_loss';
  const values = monitor === 'accuracy' ? it.accuracies : it.valid_losses;
  const mode = trackerMode('auto', monitor);
  const patience = Number(
    /(?:patience|_p)(\d+)/.exec(name)?.[1] ?? (name.includes('one_cycle') ? 1 : 0),
  );
  const minDelta = Number(/min_delta_([.\d]+?)(?:_|$)/.exec(name)?.[1] ?? 0);
  if (name.startsWith('save_model') && !name.includes('every_epoch')) {
    let best: number | null = null;
    const saved: number[] = [];
    values.forEach((value, epoch) => {
      if (!improves(best, value, mode)) return;
      best = value;
      saved.push(epoch);
    });
    report.same(
      name,
      'epochs saved',
      saved,
      it.saves.map(([, epoch]) => epoch),
    );
    report.same(name, 'the best is loaded', [it.saves[0]?.[0]], it.loads);
    report.same(name, 'epochs run', it.epochs_requested, it.epochs_run);
  }
  if (name.startsWith('early_stop')) {
    let state = newTracker;
    let epochs = 0;
    for (const value of values.slice(0, it.epochs_requested)) {
      epochs += 1;
      const after = track(state, value, { mode, minDelta, patience });
      state = after.state;
      if (after.out) break;
    }
    report.same(name, 'epochs run', epochs, it.epochs_run);
  }
  if (name.startsWith('reduce_lr')) {
    reduced(name, it, { mode, minDelta, patience }, report);
    report.same(name, 'epochs run', it.epochs_requested, it.epochs_run);
  } else leaveOut(it, ['lr_per_group_after_each_epoch']);
  // a model of every epoch is not kept here: nothing of ours runs
  if (name.includes('every_epoch')) leaveOut(it, ['saves', 'loads', 'epochs_run']);
  else if (!name.startsWith('save_model')) {
    report.same(name, 'nothing saved or loaded', [[], []], [it.saves, it.loads]);
  }
}

function reduced(
  name: string,
  it: Case,
  rule: { mode: 'min' | 'max'; minDelta: number; patience: number },
  report: Report,
): void {
  const factor = name.includes('patience0') ? 0.2 : 0.5;
  const minLr = Number(
    /min_lr_([\de.-]+)/.exec(name)?.[1] ?? (name.includes('one_cycle') ? 0 : 0.001),
  );
  if (name.includes('one_cycle')) {
    // one batch an epoch: what the tracker wrote is overwritten at the next step
    const cycle = {
      steps: it.epochs_requested,
      maxLr: [0.001, 0.01],
      divFactor: 25,
      finalDiv: null,
      pctStart: 0.3,
      moms: [0.95, 0.85] as const,
    };
    const last = it.lr_per_group_after_each_epoch.at(-1) ?? [];
    leaveOut(it, ['lr_per_group_after_each_epoch']);
    report.near(name, 'lr after the last step', oneCycle(cycle, it.epochs_requested).lr, last, {
      rel: 1e-9,
    });
    return;
  }
  let state = newTracker;
  let lr = [0.001, 0.01];
  const rates = it.valid_losses.slice(0, it.epochs_requested).map((value) => {
    const after = track(state, value, rule);
    state = after.out ? { ...after.state, wait: 0 } : after.state;
    const top = lr.at(-1) ?? 0;
    if (after.out && top > minLr) lr = lr.map(() => top * factor);
    return lr;
  });
  report.near(name, 'lr of each group', rates, it.lr_per_group_after_each_epoch, { rel: 1e-9 });
}
