// What is compared around one step of an end-to-end case: gradients, sums of the state, how far it moved.

import * as tf from '@tensorflow/tfjs-core';
import { type FloatArray, readValues, type Stored, tensorOf } from '../../../src/engine/storage.ts';
import type { Learner, Batch as TrainBatch } from '../../../src/learner/learner.ts';
import { targetsOf } from '../../../src/learner/targets.ts';
import type { Model } from '../../../src/models/model.ts';
import { loadStateDict } from '../../../src/models/state-dict.ts';
import type { Batch } from '../../../src/vision/loader.ts';
import { toOihw } from '../golden-tensors.ts';
import { field, type Held } from '../precision.ts';
import type { Report } from '../report.ts';
import { leaveOut } from '../watched.ts';
import { type Checksum, type E2e, isResnet, type Step } from './e2e-inputs.ts';
import type { Tolerances } from './e2e-tolerances.ts';

export type With = { tolerance: Tolerances; report: Report; held: Held };

/** Loss, logits and the gradient of each parameter of one unfrozen batch, before any step. */
export function probe(
  file: string,
  golden: E2e,
  learner: Learner,
  batch: Batch,
  { tolerance, report, held }: With,
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
  const logits = field<number[][]>(expected, 'train_logits', held);
  if (logits)
    report.near(name, 'logits', trainLogits(learner.model, batch.images, batch.shape), logits, {
      abs: tolerance.trainLogits,
    });
  type Figures = { l2: number; sum: number; first3: number[] };
  const wanted = field<Record<string, Figures>>(expected, 'grads', held) ?? {};
  report.same(
    name,
    'parameters',
    learner.model.parameters.map((p) => p.name).sort(),
    Object.keys(wanted).sort(),
  );
  for (const parameter of learner.model.parameters) {
    const grad = grads.get(parameter.variable);
    const figures = wanted[parameter.name];
    if (!grad || !figures) continue;
    const values = inTorchOrder(parameter.variable, readValues(grad));
    const { l2, sum, first3 } = figures;
    // a bias before a batch norm has a gradient of 0 and noise for it
    const off = tolerance.gradL2 * Math.max(l2, 1e-3);
    report.near(name, `l2 of ${parameter.name}`, norm(values), l2, { abs: off });
    report.near(name, `sum of ${parameter.name}`, total(values), sum, {
      abs: off * Math.sqrt(values.length),
    });
    report.near(name, `first of ${parameter.name}`, values.slice(0, first3.length), first3, {
      abs: off,
    });
    grad.dispose();
  }
  // of layers that are one kernel here; and how far fastai's two runs are apart
  leaveOut(expected, ['activations_f32', 'activations_f64', 'max_rel_l2_diff_f32_vs_f64']);
}

/** Of a frozen phase too: what has a gradient, each of them, and the norm of each group's. */
export function gradients(
  name: string,
  learner: Learner,
  batch: TrainBatch,
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
  const wanted = expected.grad_l2_per_group_f64;
  if (wanted) {
    // a group without a gradient has a norm of exactly 0
    const rel = tolerance.gradGroupL2;
    report.near(name, 'l2 of the gradient per group', perGroup, wanted, { rel });
  }
  for (const [key, values] of Object.entries(expected.grads_f32 ?? {})) {
    const parameter = learner.trainable.find((p) => p.name === key);
    const grad = parameter && grads.get(parameter.variable);
    if (values === null && !grad) continue;
    if (!parameter || !grad || values === null) {
      report.fail(name, `a gradient of ${key} where there is none, or none where there is one`);
      continue;
    }
    const l2 = norm(Float64Array.from(values));
    report.near(
      name,
      `gradient of ${key}`,
      inTorchOrder(parameter.variable, readValues(grad)),
      values,
      {
        abs: Math.max(tolerance.gradL2, 2e-5) * Math.max(l2, 1),
      },
    );
  }
  for (const grad of grads.values()) grad.dispose();
}

/** Sums per layer group, and how far the parameters went; `other` are the figures in the other precision. */
export function sums(
  name: string,
  golden: E2e,
  model: Model,
  start: Map<string, FloatArray>,
  { expected, other }: Record<'expected' | 'other', Record<string, Checksum>[]>,
  { tolerance, report, held }: With,
) {
  const now = values(model);
  const single = held === 'f32' && isResnet(golden);
  expected.forEach((wanted, group) => {
    const names = golden.layer_groups[group] ?? [];
    const filters = new Set(
      model.parameters.filter((p) => p.role === 'filter' || p.role === 'linear').map((p) => p.name),
    );
    const parts: Record<string, string[]> = {
      params: names,
      conv_linear_weights_only: names.filter((member) => filters.has(member)),
      bn_affine_and_bias_only: names.filter((member) => !filters.has(member)),
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
      report.same(name, `how many ${part}, group ${group}`, all.length, check.n);
      report.near(name, `sum of ${part}, group ${group}`, sum, check.sum, off(check.sum));
      report.near(
        name,
        `squares of ${part}, group ${group}`,
        squares,
        check.sumsq,
        off(check.sumsq),
      );
      const first = { abs: single ? 1e-2 : Math.max(tolerance.params, 1e-8) };
      const { first5 } = check;
      report.near(
        name,
        `first of ${part}, group ${group}`,
        all.slice(0, first5.length),
        first5,
        first,
      );
    }
    const ways = names.flatMap((member) => {
      const before = start.get(member) ?? [];
      return Array.from(now.get(member) ?? [], (value, i) => Math.abs(value - (before[i] ?? 0)));
    });
    const moved = wanted.moved_from_init;
    if (!moved) return;
    const { l1 = 0, max = 0, count = 0 } = moved;
    // in single precision steps of a small rate are rounded away: five times what fastai's two runs are apart
    const apart = (of: 'l1' | 'max') =>
      held === 'f64'
        ? 0
        : 5 * Math.abs((moved[of] ?? 0) - (other[group]?.moved_from_init?.[of] ?? 0));
    report.near(name, `moved from init, group ${group}`, total(ways), l1, {
      abs: Math.max(l1 * tolerance.moved, apart('l1'), 1e-12),
    });
    const farthest = ways.reduce((a, b) => Math.max(a, b), 0);
    // the farthest of millions is one whose gradient may be noise
    report.near(name, `farthest moved, group ${group}`, farthest, max, {
      abs: Math.max(max * (single ? 0.5 : tolerance.moved), apart('max'), 1e-12),
    });
    const movers = ways.filter((way) => way > 0).length;
    report.near(name, `how many moved, group ${group}`, movers, count, {
      abs: count === 0 ? 0 : Math.ceil(count * (held === 'f64' ? 0 : 0.02)),
    });
  });
}

/** Every parameter and buffer after a step, in single precision. */
export function state(name: string, model: Model, expected: Step, { tolerance, report }: With) {
  const now = values(model);
  for (const [key, wanted] of Object.entries(expected.state_after_f32 ?? {})) {
    const abs = Math.max(tolerance.params, 1e-5);
    report.near(name, `${key} after the step`, now.get(key) ?? [], wanted, { abs });
  }
  // how far fastai's two runs are apart
  leaveOut(expected, ['state_after_f64_maxdiff', 'float32_vs_float64']);
}

export function trainLogits(model: Model, images: Stored, shape: number[]): FloatArray {
  const kept = snapshot(model);
  const logits = tf.tidy(() => {
    const mode = { training: true, trainBatchNorm: () => true, dropoutKey: [] };
    return readValues(model.forward(tensorOf<tf.Rank.R4>(images.slice(), shape), mode)) as never;
  });
  kept();
  return logits;
}

/** Every parameter and buffer by name, in PyTorch's order of dimensions. */
export function values(model: Model): Map<string, FloatArray> {
  return new Map(
    [...model.parameters, ...model.buffers].map(({ name, variable }) => [
      name,
      inTorchOrder(variable, readValues(variable)),
    ]),
  );
}

/** A function that puts the running statistics back. */
function snapshot(model: Model): () => void {
  const held = new Map(model.buffers.map(({ name, variable }) => [name, readValues(variable)]));
  return () => void loadStateDict(model, (name) => held.get(name));
}

function inTorchOrder({ shape }: { shape: number[] }, given: FloatArray): Float64Array {
  return Float64Array.from(shape.length === 4 ? toOihw(shape, given) : given);
}

function buffersOf(model: Model, group: number, suffix: string): string[] {
  return model.buffers
    .filter((buffer) => buffer.group === group && buffer.name.endsWith(suffix))
    .map(({ name }) => name);
}

function norm(given: FloatArray): number {
  let sum = 0;
  for (const value of given) sum += value * value;
  return Math.sqrt(sum);
}

function total(given: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < given.length; i++) sum += given[i] ?? 0;
  return sum;
}
