// The model, the learner and the batches that an end-to-end golden case describes.

import { z } from 'zod';
import { newHead, type Spec } from '../../../src/domain/spec.ts';
import { Learner } from '../../../src/learner/learner.ts';
import { createModel } from '../../../src/models/create-model.ts';
import { loadStateDict } from '../../../src/models/state-dict.ts';
import type { Batch } from '../../../src/vision/loader.ts';
import { hashed, toNhwc } from '../golden-tensors.ts';
import { doubled, type Held } from '../precision.ts';
import type { Report } from '../report.ts';
import { specOf } from '../scripted-run.ts';
import { tinyModel } from '../tiny-model.ts';
import { leaveOut } from '../watched.ts';
import type { Lr } from './lr-range.ts';

export type Checksum = {
  n: number;
  sum: number;
  sumsq: number;
  first5: number[];
  l1?: number;
  max?: number;
  count?: number;
};
export type Step = Record<string, unknown> & {
  lr: number[];
  mom: number;
  targets: number[];
  params_with_grad: number;
  num_batches_tracked: number;
  grad_l2_per_group_f64?: number[];
  state_after_f32?: Record<string, number[]>;
  /** null of what is frozen. */
  grads_f32?: Record<string, number[] | null>;
};
type Phase = Record<string, unknown> & {
  unfreeze: boolean;
  max_lr: Lr;
  kwargs: Record<string, unknown>;
  trainable_params: number;
  steps: Step[];
  epoch_metrics_accuracy_error_rate: number[][];
};
export type E2e = {
  description: string;
  learner_kwargs?: unknown;
  image_size: number;
  batch_size: number;
  n_train: number;
  n_valid: number;
  c: number;
  inputs: { train_x: string; train_y: number[]; valid_x: string; valid_y: number[] };
  init: { name: string; shape: number[]; seed: number; offset: number; scale: number }[];
  layer_groups: string[][];
  bn_layers_per_group: string[][];
  initial: Record<string, unknown>;
  phases: Phase[];
  grad_probe_unfrozen_at_init: Record<string, unknown>;
  final_get_preds: Record<string, unknown>;
};

/** fastai's Learner's arguments that a training hangs on, with its defaults. */
const LearnerKwargs = z.strictObject({
  train_bn: z.boolean().default(true),
  bn_wd: z.boolean().default(true),
  true_wd: z.boolean().default(true),
  wd: z.union([z.number(), z.array(z.number())]).default(0.01),
});

export type Built = {
  learner: Learner;
  train: Batch[];
  valid: Batch[];
  /** Decay of each phase that names none. */
  wd: number | number[];
  optimizer: Partial<Spec['optimizer']>;
};

export const isResnet = ({ description }: E2e) => description.startsWith('resnet');

export function build(golden: E2e, held: Held, report: Report, file: string): Built {
  if (!/^(resnet|tiny)\b/.test(golden.description)) throw new Error('neither resnet nor tiny');
  const { wd, ...optimizer } = LearnerKwargs.parse({ ...(golden.learner_kwargs ?? {}) });
  const spec = specOf({ head: { ps: 0 }, optimizer });
  const model = isResnet(golden)
    ? createModel('resnet18', { classes: golden.c, head: newHead(spec), seed: 1 })
    : tinyModel();
  if (held === 'f64') doubled(model);
  const init = new Map(
    golden.init.map((t) => [t.name, hashed(t.seed, product(t.shape), t.scale, t.offset)]),
  );
  loadStateDict(model, (name) => init.get(name));
  const groups = golden.layer_groups.map((_, group) =>
    model.parameters.filter((p) => p.group === group).map(({ name }) => name),
  );
  report.same(`${file}: initial`, 'layer groups', sorted(groups), sorted(golden.layer_groups));
  const norms = golden.bn_layers_per_group.map((_, group) =>
    model.buffers
      .filter((buffer) => buffer.group === group && buffer.name.endsWith('.running_mean'))
      .map(({ name }) => name.replace('.running_mean', '')),
  );
  report.same(`${file}: initial`, 'norms', sorted(norms), sorted(golden.bn_layers_per_group));
  const { inputs } = golden;
  const learner = new Learner(model, {
    optimizer: spec.optimizer,
    gradientClip: null,
    bnFreeze: false,
  });
  const train = batchesOf(golden, inputs.train_x, golden.n_train, inputs.train_y);
  const valid = batchesOf(golden, inputs.valid_x, golden.n_valid, inputs.valid_y);
  // a sentence of what batchesOf does
  leaveOut(inputs, ['batches']);
  return { learner, train, valid, wd, optimizer };
}

function batchesOf(golden: E2e, formula: string, n: number, labels: number[]): Batch[] {
  const side = golden.image_size;
  const [, seed, count, scale, offset] =
    /^hash_s\(seed=(\d+),n=(\d+)\*3\*S\*S,scale=([\d.]+),offset=([-\d.]+)\)/.exec(formula) ?? [];
  if (offset === undefined || Number(count) !== n || labels.length !== n)
    throw new Error(`images of another form: ${formula}, ${n} of ${labels.length}`);
  const size = side * side * 3;
  const values = hashed(Number(seed), n * size, Number(scale), Number(offset));
  const all = toNhwc({ shape: [n, 3, side, side], values });
  return Array.from({ length: Math.ceil(n / golden.batch_size) }, (_, batch) => {
    const at = batch * golden.batch_size;
    const end = Math.min(n, at + golden.batch_size);
    return {
      images: all.values.slice(at * size, end * size),
      shape: [end - at, side, side, 3],
      labels: Int32Array.from(labels.slice(at, end)),
      items: Array.from({ length: end - at }, (_, i) => at + i),
    };
  });
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

function sorted(groups: readonly (readonly string[])[]): string[][] {
  return groups.map((names) => [...names].sort());
}
