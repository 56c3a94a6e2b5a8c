import * as tf from '@tensorflow/tfjs-core';
import { type AdamStep, adamwStep, corrections } from '../../training/adamw.ts';
import { OnednnBackend } from '../onednn/backend.ts';
import { type FloatArray, markChanged, stored } from '../storage.ts';

/** A layer group: `decay` are weights, `noDecay` batch-norm parameters and biases (fastai split_no_wd_params). */
export type ParameterGroup = { decay: tf.Variable[]; noDecay: tf.Variable[] };
export type AdamOptions = { beta2: number; eps: number; trueWd: boolean; bnWd: boolean };
/** Per group: lr and wd; `mom` is beta1. */
export type AdamHyper = { lr: number[]; mom: number; wd: number[] };
export type AdamState = { steps: number[]; m: FloatArray[]; v: FloatArray[] };

type Moments = { m: FloatArray; v: FloatArray; t: number };

/** AdamW over layer groups; variables and moments change in place, one native call per bucket of a group. */
export class AdamW {
  private readonly groups: ParameterGroup[];
  private readonly options: AdamOptions;
  private readonly moments = new Map<tf.Variable, Moments>();

  constructor(groups: ParameterGroup[], options: AdamOptions) {
    this.groups = groups;
    this.options = options;
  }

  /** One step; a variable without a gradient is left alone, decay included. */
  step(grads: Map<tf.Variable, tf.Tensor>, hyper: AdamHyper): void {
    const { beta2, eps, trueWd, bnWd } = this.options;
    this.groups.forEach((group, index) => {
      const lr = hyper.lr[index] ?? 0;
      const groupWd = hyper.wd[index] ?? 0;
      for (const [variables, wd] of [
        [group.decay, groupWd],
        [group.noDecay, bnWd ? groupWd : 0],
      ] as const) {
        // variables that joined late have taken fewer steps: one call for each count
        const byStep = new Map<
          number,
          { p: FloatArray; g: FloatArray; m: FloatArray; v: FloatArray }[]
        >();
        for (const variable of variables) {
          const grad = grads.get(variable);
          if (!grad) continue;
          const moments = this.momentsOf(variable);
          moments.t += 1;
          const list = byStep.get(moments.t) ?? [];
          markChanged(variable);
          list.push({ p: stored(variable).values, g: stored(grad).values, ...moments });
          byStep.set(moments.t, list);
        }
        for (const [t, tensors] of byStep) {
          const bias = corrections(t, hyper.mom, beta2);
          stepBucket({ lr, beta1: hyper.mom, beta2, eps, wd, trueWd, ...bias }, tensors);
        }
      }
    });
  }

  /** A copy of steps and moments, in the order of the groups' variables; empty arrays where none was stepped. */
  state(): AdamState {
    const all = this.variables().map((variable) => this.moments.get(variable));
    return {
      steps: all.map((moments) => moments?.t ?? 0),
      m: all.map((moments) => moments?.m.slice() ?? new Float32Array(0)),
      v: all.map((moments) => moments?.v.slice() ?? new Float32Array(0)),
    };
  }

  load(state: AdamState): void {
    this.moments.clear();
    this.variables().forEach((variable, index) => {
      const t = state.steps[index] ?? 0;
      const [m, v] = [state.m[index], state.v[index]];
      if (t > 0 && m && v) this.moments.set(variable, { m: m.slice(), v: v.slice(), t });
    });
  }

  /** Its variables: per group the decayed ones, then the others. */
  get buckets(): tf.Variable[][] {
    return this.groups.flatMap((group) => [group.decay, group.noDecay]);
  }

  private variables(): tf.Variable[] {
    return this.buckets.flat();
  }

  private momentsOf(variable: tf.Variable): Moments {
    const known = this.moments.get(variable);
    if (known) return known;
    const zeros = () =>
      stored(variable).values instanceof Float64Array
        ? new Float64Array(variable.size)
        : new Float32Array(variable.size);
    const fresh = { m: zeros(), v: zeros(), t: 0 };
    this.moments.set(variable, fresh);
    return fresh;
  }
}

function stepBucket(
  step: AdamStep,
  tensors: { p: FloatArray; g: FloatArray; m: FloatArray; v: FloatArray }[],
): void {
  const backend = tf.backend();
  if (!(backend instanceof OnednnBackend)) {
    for (const tensor of tensors) adamwStep(step, tensor);
    return;
  }
  const { lr, beta1, beta2, eps, wd, trueWd, correction1, correction2 } = step;
  const flat = tensors.flatMap(({ p, g, m, v }) => [p, g, m, v]) as Float32Array[];
  backend.native.adamw(lr, beta1, beta2, eps, wd, trueWd, correction1, correction2, flat);
}
