import { LrFindPhase } from '../../../src/domain/phase.ts';
import type { Learner } from '../../../src/learner/learner.ts';
import { lrFind } from '../../../src/learner/lr-find.ts';
import { plotSeries, suggest, suggestV1 } from '../../../src/training/suggestions.ts';
import type { Numbers, Report } from '../report.ts';
import { loaderOf, runOf, specOf } from '../scripted-run.ts';

type Case = {
  num_it: number;
  batches_per_epoch: number;
  kwargs: Record<string, unknown>;
  raw_losses: (number | string)[];
  n_batches_run: number;
  recorder_lrs: number[];
  recorder_losses: (number | string)[];
  v1_suggestions: Record<string, { min_grad_lr?: number; min_loss_div10?: number }>;
  v2_suggestions_on_same_series: Record<string, number | string>;
};

/** The real lr_find, with a learner whose losses are the script's. */
export async function lrFindCases(golden: { cases: Record<string, Case> }, report: Report) {
  for (const [name, it] of Object.entries(golden.cases)) {
    const raw = it.raw_losses.map(Number);
    let steps = 0;
    // only what lr_find touches
    const learner = {
      model: { parameters: [], buffers: [], groups: 3 },
      optimizer: { state: () => ({ steps: [], m: [], v: [] }), load() {} },
      mom: 0.9,
      trainStep: () => raw[steps++],
    } as unknown as Learner;
    const batch = {
      images: new Float32Array(0),
      shape: [1, 1, 1, 3] as [number, number, number, number],
      labels: new Int32Array(1),
      items: [0],
    };
    const train = loaderOf(new Array(it.batches_per_epoch).fill(batch), 1);
    const phase = LrFindPhase.parse({ type: 'lr_find', num_it: it.num_it, ...it.kwargs });
    const result = await lrFind(runOf(learner, specOf({}), ['a', 'b']), phase, {
      train,
      valid: null,
      batchSize: 1,
      tta: null,
    });
    report.same(name, 'batches run', steps, it.n_batches_run);
    const finite = it.recorder_losses.map(Number).filter(Number.isFinite);
    report.near(name, 'lrs', result.lrs, it.recorder_lrs.slice(0, finite.length), { rel: 1e-9 });
    report.sameFloats(name, 'smoothed losses', result.losses, finite);
    const losses = it.recorder_losses.map((value) => Math.fround(Number(value)));
    const series = { lrs: it.recorder_lrs, losses };
    for (const [cut, expected] of Object.entries(it.v1_suggestions)) {
      const [, start, end] = /skip_(\d+)_(\d+)/.exec(cut) ?? [];
      const v1 = suggestV1(plotSeries(series, Number(start), Number(end)));
      const label = `v1 suggestions at ${cut}`;
      const wanted = [expected.min_grad_lr ?? null, expected.min_loss_div10 ?? null];
      report.near(name, label, [v1.min_numerical_gradient, v1.min_loss_div_10], wanted, {
        rel: 1e-9,
      });
    }
    const v2 = suggest(series, { skipStart: 10, skipEnd: 5, numIt: it.num_it });
    for (const rule of ['valley', 'slide', 'steep', 'minimum'] as const) {
      const wanted = it.v2_suggestions_on_same_series[rule];
      if (wanted === undefined) continue;
      // printed with 8 digits; where v2 raises, there is nothing to suggest
      const value: Numbers = typeof wanted === 'string' ? null : wanted;
      report.near(name, `v2 ${rule}`, v2[rule], value, { rel: 1e-6 });
    }
  }
}
