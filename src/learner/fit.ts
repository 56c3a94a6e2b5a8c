// One phase of training: epochs of steps by its schedule, validation and trackers after each.

import type { EpochRow } from '../domain/event.ts';
import { problem } from '../domain/problem.ts';
import { loadStateDict, stateDict } from '../models/state-dict.ts';
import { divergence } from '../training/divergence.ts';
import { smooth } from '../training/smoothing.ts';
import { improves, track, trackerMode } from '../training/trackers.ts';
import { epochKey } from './lr-find.ts';
import type { PhaseLoaders } from './phase-data.ts';
import { betweenSteps, type Run } from './run-state.ts';
import { type FitPhase, groupRates, schedule } from './schedule.ts';
import { trainingBatch } from './targets.ts';
import { Rate, throttle } from './throttle.ts';
import { validate } from './validate.ts';
import { phaseWd } from './weight-decay.ts';

/** Trains from run.position to the end of the phase. @throws Problem `diverged`, Interrupted */
export async function fit(run: Run, phase: FitPhase, loaders: PhaseLoaders): Promise<void> {
  const { learner, journal, spec, position } = run;
  const batches = loaders.train.batchesPerEpoch;
  const asked = phase.type === 'fit_one_cycle' ? phase.max_lr : phase.lr;
  const { groups } = learner.model;
  const rates = groupRates(asked, { groups, lastFind: run.history.lrFinds.at(-1) });
  const plan = schedule(phase, { rates, batches, mom: learner.mom });
  const wd = phaseWd(run, phase.wd);
  const count = (sizes: { variable: { size: number } }[]) =>
    sizes.reduce((sum, { variable }) => sum + variable.size, 0);
  journal.event({
    type: 'phase.started',
    phase: position.phase,
    name: phase.type,
    epochs: phase.epochs,
    steps: plan.end - plan.first,
    max_lr: rates,
    trainable: count(learner.trainable),
    parameters: count(learner.model.parameters),
  });
  position.step = Math.max(position.step, plan.first);
  const rate = new Rate();
  const due = throttle(2);
  while (position.step < plan.end) {
    const epoch = Math.floor(position.step / batches);
    const begun = performance.now();
    const startStep = position.step % batches;
    let lr: number[] = [];
    for await (const loaded of loaders.train.batches(epochKey(position.phase, epoch), {
      startStep,
    })) {
      const hyper = plan.at(position.step);
      lr = position.reducedLr === null ? hyper.lr : hyper.lr.map(() => position.reducedLr ?? 0);
      const key = [spec.seed, position.phase, position.step];
      const batch = trainingBatch(loaded, run.classes.length, spec.optimizer, key);
      const loss = learner.trainStep(batch, { lr, mom: hyper.mom, wd }, key);
      loaders.train.recycle(loaded);
      position.smoothing = smooth(position.smoothing, loss);
      const smooth_loss = position.smoothing.value;
      const classes = run.classes.length;
      const last = position.step + 1 === plan.end;
      const found = divergence(position.hopeless, { loss, smoothLoss: smooth_loss, classes, last });
      position.hopeless = found.steps;
      if (found.diverged) throw diverged('training', smooth_loss, { ...position, lr });
      const row = { phase: position.phase, epoch, step: position.step };
      run.history.steps.push({ ...row, lr: lr.at(-1) ?? 0, mom: hyper.mom, loss, smooth_loss });
      position.step += 1;
      // fastai's scheduler moves on behind the step; what it leaves is what a later lr_find runs with
      learner.mom = plan.at(position.step).mom;
      const images_per_second = rate.add(loaded.labels.length);
      if (due() || position.step % batches === 0) {
        const place = { step: position.step - plan.first, steps: plan.end - plan.first };
        const losses = { loss, smooth_loss, images_per_second };
        journal.event({ type: 'step', ...row, ...place, lr, mom: hyper.mom, ...losses });
      }
      // the end of an epoch is written with its row, below
      if (position.step % batches !== 0) await betweenSteps(run);
    }
    const goOn = await endEpoch(run, phase, loaders, { epoch, lr, begun });
    if (!goOn) break;
    await betweenSteps(run);
  }
  if (spec.callbacks.save_best && run.best) {
    const byName = new Map(run.best.map(({ name, values }) => [name, values]));
    loadStateDict(learner.model, (name) => byName.get(name));
    run.best = null;
  }
}

/** Validation, the row of the table, and what the trackers say; false ends the phase. */
async function endEpoch(
  run: Run,
  phase: FitPhase,
  loaders: PhaseLoaders,
  { epoch, lr, begun }: { epoch: number; lr: number[]; begun: number },
): Promise<boolean> {
  const { position, spec } = run;
  const validation = loaders.valid ? await validate(run, loaders.valid) : null;
  const row: EpochRow = {
    phase: position.phase,
    epoch,
    train_loss: position.smoothing.value,
    valid_loss: validation?.loss ?? null,
    metrics: validation?.metrics ?? {},
    seconds: (performance.now() - begun) / 1000,
    lr,
  };
  run.history.rows.push(row);
  run.journal.event({ type: 'epoch.finished', row });
  for (const [name, metric] of Object.entries(row.metrics)) {
    if (metric === null) warn(run, undefinedMetric(name));
  }
  const { save_best, reduce_on_plateau, early_stopping } = spec.callbacks;
  const best = save_best && monitored(run, 'save_best', save_best.monitor, row);
  if (save_best && best !== null) {
    if (improves(position.saveBest.best, best, trackerMode(save_best.mode, save_best.monitor))) {
      position.saveBest = { best, wait: 0 };
      run.best = stateDict(run.learner.model).map((t) => ({ ...t, values: t.values.slice() }));
    }
  }
  const plateau =
    reduce_on_plateau && monitored(run, 'reduce_on_plateau', reduce_on_plateau.monitor, row);
  if (reduce_on_plateau && plateau !== null) {
    const { monitor, mode, min_delta, patience, factor, min_lr } = reduce_on_plateau;
    const rule = { mode: trackerMode(mode, monitor), minDelta: min_delta, patience };
    const { state, out } = track(position.plateau, plateau, rule);
    position.plateau = out ? { ...state, wait: 0 } : state;
    const last = lr.at(-1) ?? 0;
    // fastai writes the last group's rate to all groups, and a schedule overwrites it at the next step
    if (out && last > min_lr && phase.type === 'fit') position.reducedLr = last * factor;
  }
  const now = early_stopping && monitored(run, 'early_stopping', early_stopping.monitor, row);
  if (!early_stopping || now === null) return true;
  const { monitor, mode, min_delta, patience } = early_stopping;
  const rule = { mode: trackerMode(mode, monitor), minDelta: min_delta, patience };
  const { state, out } = track(position.earlyStopping, now, rule);
  position.earlyStopping = state;
  return !out;
}

/** What a callback watches in this epoch; where there is no such number it does nothing, as in fastai. */
function monitored(run: Run, callback: string, monitor: string, row: EpochRow): number | null {
  const own = { valid_loss: row.valid_loss, train_loss: row.train_loss };
  const value = monitor in own ? own[monitor as keyof typeof own] : (row.metrics[monitor] ?? null);
  if (value !== null && Number.isFinite(value)) return value;
  // that nothing is validated was said when the run began
  if (run.valid.length > 0) {
    warn(
      run,
      `callbacks.${callback} watches ${monitor}, which had no value in an epoch: it did nothing there.`,
    );
  }
  return null;
}

export function undefinedMetric(name: string): string {
  return `${name} is not defined on what was validated, and is null.`;
}

/** Says a thing to the user; the journal says the same only once. */
export function warn({ journal }: Pick<Run, 'journal'>, message: string): void {
  journal.event({ type: 'warning', message });
}

/** The Problem of a run that went astray, with where and at what rate. */
export function diverged(
  what: 'training' | 'validation',
  loss: number,
  at: { phase: number; step: number; lr: number[] },
) {
  const size = Number.isFinite(loss) ? loss.toPrecision(3) : 'NaN or infinite';
  const rate = at.lr.length > 0 ? `, at a rate of ${(at.lr.at(-1) ?? 0).toPrecision(3)}` : '';
  return problem(
    'diverged',
    `The ${what} loss became ${size} in phase ${at.phase} at step ${at.step}${rate}`,
  );
}
