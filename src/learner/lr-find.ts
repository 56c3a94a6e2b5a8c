// fastai's lr_find (train.py): a range test that leaves no trace on the model or the optimiser.

import { setImmediate as macrotask } from 'node:timers/promises';
import type { z } from 'zod';
import type { LrFindResult } from '../domain/event.ts';
import type { LrFindPhase } from '../domain/phase.ts';
import { loadStateDict, stateDict } from '../models/state-dict.ts';
import { lrFindChart } from '../plots/lr-find-chart.ts';
import { chartSvg, svgToPng } from '../plots/render.ts';
import { lightTheme } from '../plots/theme.ts';
import { lrFindRates, lrFindStop } from '../training/lr-finder.ts';
import { lrRange } from '../training/lr-range.ts';
import { newSmoothing, smooth } from '../training/smoothing.ts';
import { autoRate, suggest } from '../training/suggestions.ts';
import type { PhaseLoaders } from './phase-data.ts';
import { Interrupted, type Run } from './run-state.ts';
import { trainingBatch } from './targets.ts';
import { Rate, throttle } from './throttle.ts';
import { phaseWd } from './weight-decay.ts';

type Phase = z.infer<typeof LrFindPhase>;

/** Runs the range test and writes lr_find.json, .svg and .png. @throws Interrupted without a trace */
export async function lrFind(run: Run, phase: Phase, loaders: PhaseLoaders): Promise<LrFindResult> {
  const { learner, journal, spec } = run;
  const index = run.position.phase;
  const begun = performance.now();
  journal.event({ type: 'lr_find.started', phase: index, steps: phase.num_it });
  const weights = stateDict(learner.model);
  const optimizer = learner.optimizer.state();
  const { mom } = learner;
  const restore = () => {
    const byName = new Map(weights.map(({ name, values }) => [name, values]));
    loadStateDict(learner.model, (name) => byName.get(name));
    learner.optimizer.load(optimizer);
    learner.mom = mom;
  };
  const sweep = {
    startLr: lrRange(phase.start_lr, learner.model.groups),
    endLr: lrRange(phase.end_lr, learner.model.groups),
    numIt: phase.num_it,
    stopDiv: phase.stop_div,
  };
  const wd = phaseWd(run, phase.wd);
  const series = { lrs: [] as number[], losses: [] as number[], raw: [] as number[] };
  let smoothing = newSmoothing;
  let best = Number.NaN;
  let stop = false;
  const rate = new Rate();
  const due = throttle(2);
  try {
    for (let epoch = 0; !stop; epoch++) {
      for await (const loaded of loaders.train.batches(epochKey(index, epoch))) {
        const step = series.lrs.length;
        const rates = lrFindRates(sweep, step);
        // fastai's recorder keeps the last group's
        const lr = rates.at(-1) ?? 0;
        const key = [spec.seed, index, step];
        const batch = trainingBatch(loaded, run.classes.length, spec.optimizer, key);
        const hyper = { lr: rates, mom, wd };
        const loss = learner.trainStep(batch, hyper, key);
        loaders.train.recycle(loaded);
        smoothing = smooth(smoothing, loss);
        series.lrs.push(lr);
        series.losses.push(smoothing.value);
        series.raw.push(loss);
        ({ best, stop } = lrFindStop(sweep, { step, smoothLoss: smoothing.value, best }));
        const images_per_second = rate.add(loaded.labels.length);
        if (Number.isFinite(smoothing.value) && (due() || stop)) {
          const place = { phase: index, epoch, step: step + 1, steps: phase.num_it };
          const losses = { loss, smooth_loss: smoothing.value, images_per_second };
          journal.event({ type: 'lr_find.step', ...place, lr, ...losses });
        }
        await macrotask();
        if (run.signal.aborted) throw new Interrupted();
        if (stop) break;
      }
    }
  } finally {
    restore();
  }
  const result = resultOf(phase, index, series);
  await writeResult(run, result);
  const seconds = (performance.now() - begun) / 1000;
  journal.event({
    type: 'lr_find.finished',
    phase: index,
    suggestions: result.suggestions,
    seconds,
  });
  return result;
}

/** Each phase has epochs of its own, so that two phases never draw the same batches. */
export function epochKey(phase: number, epoch: number): number {
  return phase * 100_000 + epoch;
}

function resultOf(
  phase: Phase,
  index: number,
  series: { lrs: number[]; losses: number[]; raw: number[] },
): LrFindResult {
  const suggestions = suggest(series, {
    skipStart: phase.skip_start,
    skipEnd: phase.skip_end,
    numIt: phase.num_it,
  });
  const finite = (values: number[]) => values.filter(Number.isFinite);
  return {
    phase: index,
    lrs: series.lrs.slice(0, finite(series.losses).length),
    losses: finite(series.losses),
    raw_losses: finite(series.raw),
    stopped_early: series.lrs.length < phase.num_it,
    suggestions,
    auto: autoRate(series, { numIt: phase.num_it, valley: suggestions.valley }),
    skip_start: phase.skip_start,
    skip_end: phase.skip_end,
  };
}

async function writeResult({ journal }: Run, result: LrFindResult): Promise<void> {
  const svg = chartSvg(lrFindChart(result, lightTheme));
  await journal.artifact('lr_find.json', 'application/json', Buffer.from(JSON.stringify(result)));
  await journal.artifact('lr_find.svg', 'image/svg+xml', Buffer.from(svg));
  await journal.artifact('lr_find.png', 'image/png', svgToPng(svg));
}
