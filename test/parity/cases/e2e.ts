// Two phases of training as real fastai ran them, step by step, through the product's own learner.

import * as tf from '@tensorflow/tfjs-core';
import { type FloatArray, readValues, type Stored, tensorOf } from '../../../src/engine/storage.ts';
import { fit } from '../../../src/learner/fit.ts';
import { Learner } from '../../../src/learner/learner.ts';
import { lrFind } from '../../../src/learner/lr-find.ts';
import { phaseStart } from '../../../src/learner/run-state.ts';
import { targetsOf } from '../../../src/learner/targets.ts';
import { createModel } from '../../../src/models/create-model.ts';
import type { Model } from '../../../src/models/model.ts';
import { loadStateDict, stateDict } from '../../../src/models/state-dict.ts';
import type { Batch } from '../../../src/vision/loader.ts';
import { hashed, toNhwc } from '../golden-tensors.ts';
import { doubled, field, type Held } from '../precision.ts';
import type { Numbers, Report } from '../report.ts';
import { loaderOf, runOf, specOf } from '../scripted-run.ts';
import { tinyModel } from '../tiny-model.ts';
import { lrSpec } from './lr-range.ts';

type Checksum = { n: number; sum: number; sumsq: number; l1?: number };
type Step = Record<string, unknown> & { lr: number[]; mom: number; params_with_grad: number };
type Phase = Record<string, unknown> & {
  unfreeze: boolean;
  max_lr: number | { slice: [number, number] };
  kwargs: Record<string, unknown>;
  trainable_params: number;
  steps: Step[];
  epoch_metrics_accuracy_error_rate: number[][];
};
export type E2e = {
  description: string;
  image_size: number;
  batch_size: number;
  n_train: number;
  n_valid: number;
  c: number;
  inputs: { train_y: number[]; valid_y: number[] };
  init: { name: string; shape: number[]; seed: number; offset: number; scale: number }[];
  layer_groups: string[][];
  initial: Record<string, unknown>;
  phases: Phase[];
  grad_probe_unfrozen_at_init: Record<string, unknown>;
  final_get_preds: Record<string, unknown>;
};

type Tolerances = {
  loss: number;
  evalLogits: number;
  trainLogits: number;
  params: number;
  sums: number;
  moved: number;
  gradL2: number;
};
const doubles: Tolerances = {
  loss: 1e-9,
  evalLogits: 1e-9,
  trainLogits: 1e-9,
  params: 1e-9,
  sums: 1e-9,
  moved: 1e-6,
  gradL2: 1e-9,
};
const tinyF32: Tolerances = {
  loss: 1e-5,
  evalLogits: 2e-5,
  trainLogits: 2e-5,
  params: 1e-5,
  sums: 1e-5,
  moved: 5e-3,
  gradL2: 1e-5,
};
const resnetF32: Tolerances = {
  loss: 2e-4,
  evalLogits: 5e-4,
  trainLogits: 5e-3,
  params: Number.POSITIVE_INFINITY,
  sums: 1e-5,
  moved: 5e-3,
  gradL2: 1e-3,
};

export async function e2eCases(
  file: string,
  golden: E2e,
  report: Report,
  held: Held,
): Promise<void> {
  const resnet = golden.description.startsWith('resnet');
  const tolerance = held === 'f64' ? doubles : resnet ? resnetF32 : tinyF32;
  const { learner, valid, train } = build(golden, held);
  const { model } = learner;
  const evalBatch = valid[0] as Batch;
  const check = (
    name: string,
    quantity: string,
    actual: Numbers,
    expected: Numbers | undefined,
    abs: number,
  ) => {
    if (expected !== undefined) report.near(name, quantity, actual, expected, { abs });
  };
  probe(file, golden, learner, train[0] as Batch, { tolerance, held, report });
  const initial = `${file}: initial`;
  check(
    initial,
    'eval logits',
    learner.predict(evalBatch.images, evalBatch.shape),
    field(golden.initial, 'eval_logits', held),
    tolerance.evalLogits,
  );
  const start = values(model);

  const phases = golden.phases.map((phase, i) => ({
    type: 'fit_one_cycle',
    epochs: 1,
    max_lr: lrSpec(phase.max_lr),
    freeze: i === 0 ? true : phase.unfreeze ? false : null,
    ...phase.kwargs,
  }));
  const spec = specOf({ phases, head: { ps: 0 } });
  const run = runOf(
    learner,
    spec,
    Array.from({ length: golden.c }, (_, i) => String(i)),
  );
  const loaders = {
    train: loaderOf(train, golden.image_size),
    valid: loaderOf(valid, golden.image_size),
    batchSize: golden.batch_size,
    tta: null,
  };
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
      report.near(label, 'lr', hyper.lr, expected.lr, { rel: 1e-9 });
      report.near(label, 'mom', hyper.mom, expected.mom, { rel: 1e-9 });
      check(
        label,
        'train logits',
        trainLogits(model, batch.images, batch.shape),
        field(expected, 'train_logits', held),
        tolerance.trainLogits,
      );
      gradients(label, learner, batch, expected, { tolerance, report });
      const loss = trainStep(batch, hyper, key);
      check(label, 'loss', loss, field(expected, 'loss', held), tolerance.loss);
      const after = learner.predict(evalBatch.images, evalBatch.shape);
      check(
        label,
        'eval logits after',
        after,
        field(expected, 'eval_logits_after', held),
        tolerance.evalLogits,
      );
      sums(label, golden, model, start, field(expected, 'checksums_after', held) ?? [], {
        tolerance,
        report,
      });
      const state = expected.state_after_f32 as Record<string, number[]> | undefined;
      for (const [key2, wanted] of Object.entries(state ?? {})) {
        const tensor = stateDict(model).find((t) => t.name === key2);
        if (tensor)
          check(
            label,
            'every parameter and buffer',
            tensor.values,
            wanted,
            Math.max(tolerance.params, 1e-5),
          );
      }
      return loss;
    };
    await fit(run, runnable, loaders);
    learner.trainStep = trainStep;
    const rows = run.history.rows.filter((row) => row.phase === index);
    const smooth = run.history.steps
      .filter((row) => row.phase === index)
      .map((row) => row.smooth_loss);
    const wanted = phase.steps.map((row) => field<number>(row, 'smooth_loss', held) ?? null);
    // fastai smooths in float32 even where it computes in double
    check(name, 'smoothed losses', smooth, wanted, Math.max(tolerance.loss, 1e-6));
    check(
      name,
      'valid loss',
      rows.map((row) => row.valid_loss ?? Number.NaN),
      field(phase, 'epoch_valid_loss', held),
      Math.max(tolerance.loss, 1e-6),
    );
    const metrics = rows.map((row) => [
      row.metrics.accuracy ?? null,
      row.metrics.error_rate ?? null,
    ]);
    check(name, 'metrics', metrics, phase.epoch_metrics_accuracy_error_rate, 1e-6);
  }
  model.dispose();
}

/** lr_find on the tiny CNN, before and after a fit: golden e2e_tiny_lr_find.json on the inputs of `of`. */
export async function e2eLrFindCases(
  golden: Record<'first_lr_find' | 'second_lr_find_after_fit', Record<string, unknown>>,
  of: E2e,
  report: Report,
  held: Held,
): Promise<void> {
  const { learner, train } = build(of, held);
  const spec = specOf({
    head: { ps: 0 },
    phases: [
      { type: 'lr_find', start_lr: 1e-6, end_lr: 1e-1, num_it: 20, freeze: true },
      { type: 'fit_one_cycle', epochs: 1, max_lr: 1e-3, pct_start: 0.5 },
      { type: 'lr_find', start_lr: 1e-6, end_lr: 1e-1, num_it: 6 },
    ],
  });
  const run = runOf(learner, spec, ['0', '1', '2']);
  const loaders = {
    train: loaderOf(train, of.image_size),
    valid: null,
    batchSize: of.batch_size,
    tta: null,
  };
  const moms: number[] = [];
  const trainStep = learner.trainStep.bind(learner);
  learner.trainStep = (batch, hyper, key) => {
    moms.push(hyper.mom);
    return trainStep(batch, hyper, key);
  };
  const [first, middle, second] = spec.phases;
  if (first?.type !== 'lr_find' || middle?.type !== 'fit_one_cycle' || second?.type !== 'lr_find')
    return;
  const tolerance = held === 'f64' ? 1e-6 : 1e-5;
  const find = async (
    name: string,
    phase: typeof first,
    expected: Record<string, unknown>,
    losses: string,
  ) => {
    moms.length = 0;
    const before = stateDict(learner.model).map((t) => Array.from(t.values));
    const adam = learner.optimizer.state();
    const result = await lrFind(run, phase, loaders);
    const lrs = expected.recorder_lrs as number[] | undefined;
    if (lrs) report.near(name, 'lrs', result.lrs, lrs, { rel: 1e-9 });
    const wanted = field<number[]>(expected, losses, held) ?? [];
    report.near(name, 'smoothed losses', result.losses, wanted, { abs: tolerance });
    report.near(name, 'momenta', moms, expected.moms as number[], { rel: 1e-9 });
    const after = stateDict(learner.model).map((t) => Array.from(t.values));
    report.same(name, 'model and buffers restored to the bit', after, before);
    report.same(name, 'Adam restored', learner.optimizer.state(), adam);
  };
  learner.applyFreeze(first.freeze);
  await find('e2e_tiny_lr_find: first', first, golden.first_lr_find, 'recorder_smooth_losses');
  run.position = phaseStart(1);
  await fit(run, middle, loaders);
  run.position = phaseStart(2);
  await find(
    'e2e_tiny_lr_find: after a fit',
    second,
    golden.second_lr_find_after_fit,
    'smooth_losses',
  );
  learner.freezeTo(0);
  report.same(
    'e2e_tiny_lr_find: unfreeze',
    'new optimiser',
    [learner.optimizer.state().steps.some((t) => t > 0), learner.mom],
    [false, 0.9],
  );
  learner.model.dispose();
}

function build(golden: E2e, held: Held) {
  const resnet = golden.description.startsWith('resnet');
  const { head } = specOf({ head: { ps: 0 } });
  const model = resnet
    ? createModel('resnet18', { classes: golden.c, head, seed: 1 })
    : tinyModel();
  if (held === 'f64') doubled(model);
  const init = new Map(
    golden.init.map((t) => [
      t.name,
      hashed(
        t.seed,
        t.shape.reduce((a, b) => a * b, 1),
        t.scale,
        t.offset,
      ),
    ]),
  );
  loadStateDict(model, (name) => init.get(name));
  const { optimizer } = specOf({});
  const learner = new Learner(model, { optimizer, gradientClip: null, bnFreeze: false });
  const side = golden.image_size;
  const batches = (seed: number, n: number, labels: number[]): Batch[] => {
    const all = toNhwc({
      shape: [n, 3, side, side],
      values: hashed(seed, n * 3 * side * side, 0.5, 0.5),
    });
    const size = side * side * 3;
    const result: Batch[] = [];
    for (let at = 0; at < n; at += golden.batch_size) {
      const end = Math.min(n, at + golden.batch_size);
      const items = Array.from({ length: end - at }, (_, i) => at + i);
      result.push({
        images: all.values.slice(at * size, end * size),
        shape: [end - at, side, side, 3],
        labels: Int32Array.from(labels.slice(at, end)),
        items,
      });
    }
    return result;
  };
  return {
    learner,
    train: batches(1, golden.n_train, golden.inputs.train_y),
    valid: batches(2, golden.n_valid, golden.inputs.valid_y),
  };
}

type With = { tolerance: Tolerances; report: Report };

/** Loss, logits and the norm of each gradient of one unfrozen batch, before any step. */
function probe(
  file: string,
  golden: E2e,
  learner: Learner,
  batch: Batch,
  { tolerance, report, held }: With & { held: Held },
) {
  const name = `${file}: gradients at init`;
  const expected = golden.grad_probe_unfrozen_at_init;
  const kept = snapshot(learner.model);
  const targets = targetsOf(batch.labels, golden.c, null);
  const { loss, grads } = learner.gradients({ ...batch, targets, classes: golden.c }, []);
  kept();
  report.near(name, 'loss', loss, field<number>(expected, 'loss', held) ?? null, {
    abs: tolerance.loss,
  });
  const wanted = field<Record<string, { l2: number }>>(expected, 'grads', held) ?? {};
  for (const parameter of learner.model.parameters) {
    const grad = grads.get(parameter.variable);
    const l2 = wanted[parameter.name]?.l2;
    if (!grad || l2 === undefined) continue;
    // a bias before a batch norm has a gradient of 0 and noise for it
    const off = { abs: tolerance.gradL2 * Math.max(l2, 1e-3) };
    report.near(name, `l2 of ${parameter.name}`, norm(readValues(grad)), l2, off);
    grad.dispose();
  }
}

/** Of a frozen phase too: what has a gradient, and the norm of each group's. */
function gradients(
  name: string,
  learner: Learner,
  batch: Parameters<Learner['trainStep']>[0],
  expected: Step,
  { tolerance, report }: With,
) {
  const kept = snapshot(learner.model);
  const { grads } = learner.gradients(batch, []);
  kept();
  report.same(name, 'parameters with a gradient', grads.size, expected.params_with_grad);
  const perGroup = Array.from({ length: learner.model.groups }, (_, group) =>
    Math.hypot(
      ...learner.trainable
        .filter((p) => p.group === group)
        .map((p) => norm(readValues(grads.get(p.variable) as tf.Tensor))),
    ),
  );
  const wanted = expected.grad_l2_per_group_f64 as number[] | undefined;
  if (wanted)
    report.near(name, 'l2 of the gradient per group', perGroup, wanted, {
      rel: Math.max(tolerance.gradL2, 1e-9),
    });
  for (const grad of grads.values()) grad.dispose();
}

/** Sums per layer group, and how far the parameters went. */
function sums(
  name: string,
  golden: E2e,
  model: Model,
  start: Map<string, FloatArray>,
  expected: Record<string, Checksum>[],
  { tolerance, report }: With,
) {
  const now = values(model);
  expected.forEach((wanted, group) => {
    const names = golden.layer_groups[group] ?? [];
    const parts: Record<string, string[]> = {
      params: names,
      bn_running_mean: buffersOf(model, group, 'running_mean'),
      bn_running_var: buffersOf(model, group, 'running_var'),
    };
    for (const [part, members] of Object.entries(parts)) {
      const check = wanted[part];
      if (!check) continue;
      const all = members.flatMap((member) => Array.from(now.get(member) ?? []));
      const sum = total(all);
      const squares = total(all.map((value) => value * value));
      const off = (value: number) => ({
        abs: Math.max(Math.abs(value) * tolerance.sums, tolerance.sums === 1e-5 ? 1e-2 : 1e-8),
      });
      report.near(name, `sum of ${part}, group ${group}`, sum, check.sum, off(check.sum));
      report.near(
        name,
        `squares of ${part}, group ${group}`,
        squares,
        check.sumsq,
        off(check.sumsq),
      );
    }
    const moved = total(
      names.flatMap((member) => {
        const before = start.get(member) ?? [];
        return Array.from(now.get(member) ?? [], (value, i) => Math.abs(value - (before[i] ?? 0)));
      }),
    );
    const l1 = wanted.moved_from_init?.l1;
    if (l1 !== undefined)
      report.near(name, `moved from init, group ${group}`, moved, l1, {
        abs: Math.max(l1 * tolerance.moved, 1e-12),
      });
  });
}

function trainLogits(model: Model, images: Stored, shape: number[]): FloatArray {
  const kept = snapshot(model);
  const logits = tf.tidy(() => {
    const mode = { training: true, trainBatchNorm: () => true, dropoutKey: [] };
    return readValues(model.forward(tensorOf<tf.Rank.R4>(images.slice(), shape), mode)) as never;
  });
  kept();
  return logits;
}

/** A function that puts the running statistics back. */
function snapshot(model: Model): () => void {
  const held = new Map(model.buffers.map(({ name, variable }) => [name, readValues(variable)]));
  return () => void loadStateDict(model, (name) => held.get(name));
}

function values(model: Model): Map<string, FloatArray> {
  return new Map(
    [...model.parameters, ...model.buffers].map(({ name, variable }) => [
      name,
      readValues(variable),
    ]),
  );
}

function buffersOf(model: Model, group: number, suffix: string): string[] {
  return model.buffers
    .filter((buffer) => buffer.group === group && buffer.name.endsWith(suffix))
    .map(({ name }) => name);
}

function norm(values: FloatArray): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}

function total(values: number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
