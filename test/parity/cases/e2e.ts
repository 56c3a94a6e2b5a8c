// Phases of training as real fastai ran them, step by step, through the product's own learner.

import { fit } from '../../../src/learner/fit.ts';
import { phaseStart, type Run } from '../../../src/learner/run-state.ts';
import type { Batch } from '../../../src/vision/loader.ts';
import { field, type Held } from '../precision.ts';
import type { Numbers, Report } from '../report.ts';
import { loaderOf, runOf, specOf } from '../scripted-run.ts';
import { leaveOut } from '../watched.ts';
import { gradients, probe, state, sums, trainLogits, values, type With } from './e2e-checks.ts';
import { type Built, build, type Checksum, type E2e, isResnet, type Step } from './e2e-inputs.ts';
import { doubles, resnetF32, tinyF32 } from './e2e-tolerances.ts';
import { lrSpec } from './lr-range.ts';

export async function e2eCases(
  file: string,
  golden: E2e,
  report: Report,
  held: Held,
): Promise<void> {
  const tolerance = held === 'f64' ? doubles : isResnet(golden) ? resnetF32 : tinyF32;
  const checked: With = { tolerance, report, held };
  const built = build(golden, held, report, file);
  const { learner, valid, train } = built;
  const { model } = learner;
  const evalBatch = valid[0] as Batch;
  probe(file, golden, learner, train[0] as Batch, checked);
  const initial = `${file}: initial`;
  const logits = learner.predict(evalBatch.images, evalBatch.shape);
  near(initial, 'eval logits', logits, field(golden.initial, 'eval_logits', held), {
    report,
    abs: tolerance.evalLogits,
  });
  const start = values(model);
  const checksums = golden.initial.checksums as Record<string, Checksum>[];
  sums(initial, golden, model, start, { expected: checksums, other: checksums }, checked);

  const { spec, run, loaders } = setUp(golden, built);
  let taken = 0;
  for (const [index, phase] of golden.phases.entries()) {
    const name = `${file}: phase ${index + 1}`;
    run.position = phaseStart(index);
    const runnable = spec.phases[index];
    if (runnable?.type !== 'fit_one_cycle')
      throw new Error('the spec has other phases than the golden file');
    learner.applyFreeze(runnable.freeze);
    const trainable = learner.trainable.reduce((sum, { variable }) => sum + variable.size, 0);
    report.same(name, 'trainable parameters', trainable, phase.trainable_params);
    const trainStep = learner.trainStep.bind(learner);
    let step = 0;
    learner.trainStep = (batch, hyper, key) => {
      const expected = phase.steps[step] as Step;
      const label = `${name}, step ${step}`;
      step += 1;
      taken += 1;
      report.near(label, 'lr', hyper.lr, expected.lr, { rel: 1e-9 });
      report.near(label, 'mom', hyper.mom, expected.mom, { rel: 1e-9 });
      const labels = expected.targets.flatMap((label2) =>
        Array.from({ length: golden.c }, (_, i) => Number(i === label2)),
      );
      report.near(label, 'targets', batch.targets, labels, { abs: 0 });
      const before = trainLogits(model, batch.images, batch.shape);
      near(label, 'train logits', before, field(expected, 'train_logits', held), {
        report,
        abs: tolerance.trainLogits,
      });
      gradients(label, learner, batch, expected, checked);
      const loss = trainStep(batch, hyper, key);
      near(label, 'loss', loss, field(expected, 'loss', held), { report, abs: tolerance.loss });
      const after = learner.predict(evalBatch.images, evalBatch.shape);
      near(label, 'eval logits after', after, field(expected, 'eval_logits_after', held), {
        report,
        abs: tolerance.evalLogits,
      });
      const sumsIn = (precision: Held) =>
        field<Record<string, Checksum>[]>(expected, 'checksums_after', precision) ?? [];
      const both = { expected: sumsIn(held), other: sumsIn(held === 'f64' ? 'f32' : 'f64') };
      sums(label, golden, model, start, both, checked);
      leaveOut(expected, ['checksums_after_f32', 'checksums_after_f64']);
      state(label, model, expected, checked);
      report.same(label, 'batches so far', taken, expected.num_batches_tracked);
      return loss;
    };
    await fit(run, runnable, loaders);
    learner.trainStep = trainStep;
    report.same(name, 'steps', step, phase.steps.length);
    afterPhase(name, run, index, phase, checked);
    phase.steps.forEach((it, i) => void report.understood(`${name}, step ${i}`, it));
    report.understood(name, phase);
  }
  predictions(`${file}: predictions`, golden, built, checked);
  model.dispose();
}

function setUp(golden: E2e, built: Built) {
  const { learner, train, valid, wd, optimizer } = built;
  const phases = golden.phases.map((phase, i) => {
    const { moms, ...kwargs } = phase.kwargs as { moms?: number | number[]; start_epoch?: number };
    return {
      type: 'fit_one_cycle',
      epochs: phase.epoch_metrics_accuracy_error_rate.length + (kwargs.start_epoch ?? 0),
      max_lr: lrSpec(phase.max_lr),
      freeze: phase.unfreeze ? false : i === 0 ? true : null,
      wd,
      ...(moms !== undefined && { moms: typeof moms === 'number' ? [moms, moms] : [...moms] }),
      ...kwargs,
    };
  });
  const spec = specOf({ phases, head: { ps: 0 }, optimizer });
  const classes = Array.from({ length: golden.c }, (_, i) => String(i));
  const loaders = {
    train: loaderOf(train, golden.image_size),
    valid: loaderOf(valid, golden.image_size),
    batchSize: golden.batch_size,
    tta: null,
  };
  return { spec, run: runOf(learner, spec, classes), loaders };
}

function afterPhase(
  name: string,
  run: Run,
  index: number,
  phase: E2e['phases'][number],
  { tolerance, report, held }: With,
): void {
  const rows = run.history.rows.filter((row) => row.phase === index);
  const smooth = run.history.steps
    .filter((row) => row.phase === index)
    .map((row) => row.smooth_loss);
  const wanted = phase.steps.map((row) => field<number>(row, 'smooth_loss', held) ?? null);
  // fastai smooths in float32 even where it computes in double
  const abs = Math.max(tolerance.loss, 1e-6);
  report.near(name, 'smoothed losses', smooth, wanted, { abs });
  const losses = rows.map((row) => row.valid_loss ?? Number.NaN);
  near(name, 'valid loss', losses, field(phase, 'epoch_valid_loss', held), { report, abs });
  const metrics = rows.map((row) => [row.metrics.accuracy ?? null, row.metrics.error_rate ?? null]);
  report.near(name, 'metrics', metrics, phase.epoch_metrics_accuracy_error_rate, { abs: 1e-6 });
  // of the run in float32
  near(
    name,
    'training loss',
    rows.at(-1)?.train_loss ?? null,
    phase.epoch_train_loss_reported as number,
    {
      report,
      abs: Math.max(tolerance.loss, 2e-5),
    },
  );
}

/** What get_preds says of the validation set at the end. */
function predictions(
  name: string,
  golden: E2e,
  { learner, valid }: Built,
  { tolerance, report, held }: With,
): void {
  const expected = golden.final_get_preds;
  const labels = valid.flatMap((batch) => [...batch.labels]);
  const rows = valid.flatMap((batch) => {
    const logits = Array.from(learner.predict(batch.images, batch.shape));
    return Array.from(batch.labels, (_, i) => logits.slice(i * golden.c, (i + 1) * golden.c));
  });
  const shares = rows.map((row) => {
    const raised = row.map((value) => Math.exp(value - Math.max(...row)));
    return raised.map((value) => value / raised.reduce((sum, other) => sum + other, 0));
  });
  report.same(name, 'targets', labels, expected.targets);
  // fastai keeps them in single precision whatever the model's is
  near(name, 'probabilities', shares, field(expected, 'softmax', held), {
    report,
    abs: Math.max(tolerance.evalLogits, 1e-7),
  });
  const losses = shares.map((row, i) => -Math.log(row[labels[i] ?? 0] ?? 0));
  // golden has the losses of the run in single precision alone
  const single = isResnet(golden) ? resnetF32 : tinyF32;
  near(name, 'losses', losses, expected.losses_f32 as Numbers, {
    report,
    abs: Math.max(single.loss, 2e-5),
  });
}

function near(
  name: string,
  quantity: string,
  actual: Numbers,
  expected: Numbers | undefined,
  { report, abs }: { report: Report; abs: number },
): void {
  if (expected !== undefined) report.near(name, quantity, actual, expected, { abs });
}
