// fastai's Learner (basic_train.py) without its loops: a model, what of it is frozen, an optimiser, a step.

import * as tf from '@tensorflow/tfjs-core';
import type { Spec } from '../domain/spec.ts';
import { AdamW } from '../engine/ops/adamw.ts';
import { clipGradNorm } from '../engine/ops/gradient-clip.ts';
import { softmaxCrossEntropy } from '../engine/ops/loss.ts';
import { ownGradients } from '../engine/ops/shared-gradient.ts';
import { type FloatArray, readValues, type Stored, stored, tensorOf } from '../engine/storage.ts';
import { evalMode, type Model, type Parameter } from '../models/model.ts';

export type LearnerOptions = {
  optimizer: Pick<Spec['optimizer'], 'true_wd' | 'bn_wd' | 'beta2' | 'eps' | 'train_bn'>;
  gradientClip: number | null;
  bnFreeze: boolean;
};
/** Images [N,H,W,3] and targets [N,C], one-hot or soft. */
export type Batch = { images: Stored; shape: number[]; targets: FloatArray; classes: number };
/** Per group: lr and wd. */
export type StepHyper = { lr: number[]; mom: number; wd: number[] };

export class Learner {
  readonly model: Model;
  /** The optimiser's momentum as the last phase left it; .9 on a new optimiser. */
  mom = 0.9;
  optimizer: AdamW;
  private readonly options: LearnerOptions;
  private readonly requiresGrad: Map<Parameter, boolean>;
  /** How many groups freeze_to froze last. */
  private frozenGroups = 0;

  constructor(model: Model, options: LearnerOptions) {
    this.model = model;
    this.options = options;
    this.requiresGrad = new Map(model.parameters.map((parameter) => [parameter, true]));
    this.optimizer = this.newOptimizer();
  }

  /**
   * fastai's freeze_to: groups below `n` are frozen, except batch norms when train_bn, whose state stays as
   * it is; always a new optimiser.
   */
  freezeTo(n: number): void {
    const { groups } = this.model;
    const below = Math.max(0, n < 0 ? groups + n : n);
    for (const parameter of this.model.parameters) {
      if (parameter.group >= below) this.requiresGrad.set(parameter, true);
      else if (!(this.options.optimizer.train_bn && parameter.role === 'bn')) {
        this.requiresGrad.set(parameter, false);
      }
    }
    this.frozenGroups = below;
    this.mom = 0.9;
    this.optimizer = this.newOptimizer();
  }

  /** The spec's `freeze`: true = all but the head, false = nothing, n = freeze_to(n), null = as it is. */
  applyFreeze(freeze: boolean | number | null): void {
    if (freeze === null) return;
    this.freezeTo(freeze === true ? -1 : freeze === false ? 0 : freeze);
  }

  /** What is frozen, as data for a checkpoint: how many groups, and the names without a gradient. */
  get frozen(): { groups: number; names: string[] } {
    const names = this.model.parameters.filter((p) => !this.requiresGrad.get(p)).map((p) => p.name);
    return { groups: this.frozenGroups, names };
  }

  /** Puts that back, with a new optimiser. */
  set frozen({ groups, names }: { groups: number; names: string[] }) {
    for (const p of this.model.parameters) this.requiresGrad.set(p, !names.includes(p.name));
    this.frozenGroups = groups;
    this.optimizer = this.newOptimizer();
  }

  get trainable(): Parameter[] {
    return this.model.parameters.filter((parameter) => this.requiresGrad.get(parameter));
  }

  /** Forward, backward, decay and Adam; the loss as it was before the step. */
  trainStep(batch: Batch, hyper: StepHyper, dropoutKey: readonly number[]): number {
    const { loss, grads } = this.gradients(batch, dropoutKey);
    if (this.options.gradientClip !== null) {
      clipGradNorm([...grads.values()], this.options.gradientClip);
    }
    this.optimizer.step(grads, hyper);
    for (const grad of grads.values()) grad.dispose();
    return loss;
  }

  /** Loss and the gradient of everything trainable; the caller disposes the gradients. */
  gradients(
    batch: Batch,
    dropoutKey: readonly number[],
  ): { loss: number; grads: Map<tf.Variable, tf.Tensor> } {
    const { trainable } = this;
    const mode = {
      training: true,
      trainBatchNorm: (layer: { group: number }) =>
        !(this.options.bnFreeze && layer.group < this.frozenGroups),
      dropoutKey,
    };
    const x = tensorOf<tf.Rank.R4>(batch.images, batch.shape);
    const targets = tensorOf<tf.Rank.R2>(batch.targets, [batch.shape[0] ?? 0, batch.classes]);
    const variables = trainable.map(({ variable }) => variable);
    const { value, grads: byName } = ownGradients(() =>
      tf.variableGrads(() => softmaxCrossEntropy(this.model.forward(x, mode), targets), variables),
    );
    const loss = stored(value).values[0] ?? Number.NaN;
    tf.dispose([x, targets, value]);
    const grads = new Map<tf.Variable, tf.Tensor>();
    for (const variable of variables) {
      const grad = byName[variable.name];
      if (grad) grads.set(variable, grad);
    }
    return { loss, grads };
  }

  /** Logits [N,C] of images [N,H,W,3] in evaluation mode. */
  predict(images: Stored, shape: number[]): FloatArray {
    let logits: FloatArray = new Float32Array(0);
    tf.tidy(() => {
      logits = readValues(this.model.forward(tensorOf<tf.Rank.R4>(images, shape), evalMode));
    });
    return logits;
  }

  /** Two buckets per group, as fastai's split_no_wd_params: weights, and batch norms with biases. */
  private newOptimizer(): AdamW {
    const { true_wd, bn_wd, beta2, eps } = this.options.optimizer;
    const groups = Array.from({ length: this.model.groups }, (_, group) => {
      const own = this.trainable.filter((parameter) => parameter.group === group);
      const weights = own.filter(({ role }) => role === 'filter' || role === 'linear');
      const others = own.filter(({ role }) => role === 'bn' || role === 'bias');
      return {
        decay: weights.map(({ variable }) => variable),
        noDecay: others.map(({ variable }) => variable),
      };
    });
    return new AdamW(groups, { beta2, eps, trueWd: true_wd, bnWd: bn_wd });
  }
}
