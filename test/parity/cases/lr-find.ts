import { LrFindPhase } from '../../../src/domain/phase.ts';
import type { Learner } from '../../../src/learner/learner.ts';
import { lrFind } from '../../../src/learner/lr-find.ts';
import { lrFindRates } from '../../../src/training/lr-finder.ts';
import { lrRange } from '../../../src/training/lr-range.ts';
import { plotSeries, suggest, suggestV1 } from '../../../src/training/suggestions.ts';
import type { Numbers, Report } from '../report.ts';
import { loaderOf, runOf, specOf } from '../scripted-run.ts';
import { leaveOut } from '../watched.ts';
import { type Lr, lrSpec } from './lr-range.ts';

type Case = {
  num_it: number;
  batches_per_epoch: number;
  kwargs: Record<string, unknown> & { start_lr?: Lr; end_lr?: Lr };
  raw_losses: (number | string)[];
  n_batches_run: number;
  stop_index: number;
  nb_batches_per_epoch: number[];
  best_smooth_loss: number | string;
  model_and_bn_restored: boolean;
  opt_lr_attr_after: number[];
  inner_opt_lr_after: number[];
  opt_state_entries_after: number;
  mom_during: number[];
  recorder_lrs: number[];
  recorder_losses: (number | string)[];
  v1_suggestions: Record<string, Suggested>;
  v2_suggestions_on_same_series: Record<string, number | string>;
};

type Suggested = {
  min_grad_lr?: number;
  min_grad_index_in_full?: number;
  min_loss_div10?: number;
  min_loss_index_in_full?: number;
};

const groups = 3;

/** The real lr_find, with a learner whose losses are the script's. */
export async function lrFindCases(golden: { cases: Record<string, Case> }, report: Report) {
  for (const [name, given] of Object.entries(golden.cases)) {
    await report.run(name, given, (it) => one(name, it, report));
  }
}

async function one(name: string, it: Case, report: Report) {
  const raw = it.raw_losses.map(Number);
  let steps = 0;
  let restored = 0;
  const used: { lr: number[]; mom: number }[] = [];
  const optimizer = { steps: [], m: [], v: [] };
  // only what lr_find touches
  const learner = {
    model: { parameters: [], buffers: [], groups },
    optimizer: {
      state: () => optimizer,
      load: (state: unknown) => {
        if (state === optimizer) restored += 1;
      },
    },
    mom: 0.9,
    trainStep: (_: unknown, hyper: (typeof used)[number]) => {
      used.push(hyper);
      return raw[steps++];
    },
  } as unknown as Learner;
  const batch = {
    images: new Float32Array(0),
    shape: [1, 1, 1, 3] as [number, number, number, number],
    labels: new Int32Array(1),
    items: [0],
  };
  const train = loaderOf(new Array(it.batches_per_epoch).fill(batch), 1);
  const { start_lr, end_lr, ...others } = it.kwargs;
  const phase = LrFindPhase.parse({
    type: 'lr_find',
    num_it: it.num_it,
    ...(start_lr !== undefined && { start_lr: lrSpec(start_lr) }),
    ...(end_lr !== undefined && { end_lr: lrSpec(end_lr) }),
    ...others,
  });
  const result = await lrFind(runOf(learner, specOf({}), ['a', 'b']), phase, {
    train,
    valid: null,
    batchSize: 1,
    tta: null,
  });
  report.same(name, 'batches run', steps, it.n_batches_run);
  report.same(name, 'last batch', steps - 1, it.stop_index);
  const perEpoch = Array.from({ length: Math.ceil(steps / it.batches_per_epoch) }, (_, epoch) =>
    Math.min(it.batches_per_epoch, steps - epoch * it.batches_per_epoch),
  );
  report.same(name, 'batches of each epoch', perEpoch, it.nb_batches_per_epoch);
  report.same(name, 'restored', restored === 1, it.model_and_bn_restored);
  report.same(name, 'moments', 0, it.opt_state_entries_after);
  report.same(name, 'momentum', [...new Set(used.map(({ mom }) => mom))], it.mom_during);
  const sweep = {
    startLr: lrRange(phase.start_lr, groups),
    endLr: lrRange(phase.end_lr, groups),
    numIt: phase.num_it,
    stopDiv: phase.stop_div,
  };
  report.near(name, 'rates of each group left', lrFindRates(sweep, steps), it.opt_lr_attr_after, {
    rel: 1e-9,
  });
  // weights and the rest of a group are two groups of PyTorch's
  const first = (used[0]?.lr ?? []).flatMap((lr) => [lr, lr]);
  report.near(name, 'first rates', first, it.inner_opt_lr_after, { rel: 1e-9 });
  const best = result.losses.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  report.sameFloats(name, 'best loss', best, it.best_smooth_loss);
  const finite = it.recorder_losses.map(Number).filter(Number.isFinite);
  const last = used.map(({ lr }) => lr.at(-1) ?? 0).slice(0, finite.length);
  report.near(name, 'rates used', last, it.recorder_lrs.slice(0, finite.length), { rel: 1e-9 });
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
    const full = it.recorder_lrs;
    report.same(
      name,
      `${label}, where`,
      [expected.min_grad_index_in_full ?? null, expected.min_loss_index_in_full ?? null],
      [full.indexOf(v1.min_numerical_gradient ?? -1), indexOfLoss(full, v1.min_loss_div_10)].map(
        (i) => (i < 0 ? null : i),
      ),
    );
    leaveOut(expected, ['printed']);
  }
  const v2 = suggest(series, { skipStart: 10, skipEnd: 5, numIt: it.num_it });
  for (const rule of ['valley', 'slide', 'steep', 'minimum'] as const) {
    const wanted = it.v2_suggestions_on_same_series[rule];
    if (wanted === undefined) continue;
    // printed with 8 digits; where v2 raises, there is nothing to suggest
    const value: Numbers = typeof wanted === 'string' ? null : wanted;
    report.near(name, `v2 ${rule}`, v2[rule], value, { rel: 1e-6 });
  }
  leaveOut(it, ['printed_hint']);
}

function indexOfLoss(lrs: readonly number[], div10: number | null): number {
  return lrs.findIndex((lr) => div10 !== null && Math.abs(lr / 10 - div10) <= 1e-9 * div10);
}
