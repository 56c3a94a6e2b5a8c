import type * as tf from '@tensorflow/tfjs-core';
import { AdamW } from '../../../src/engine/ops/adamw.ts';
import { readValues, tensorOf, variableOf } from '../../../src/engine/storage.ts';
import { floats, type Held } from '../precision.ts';
import type { Report } from '../report.ts';

type Kwargs = { wd?: number; bn_wd?: boolean; true_wd?: boolean; none_grad?: string[] };
type Golden = {
  param_order: { name: string; shape: number[]; group: number; bucket: string }[];
  init_float32: number[];
  grads: number[][];
  betas2: number;
  eps: number;
  lr_per_step_per_group: number[][];
  mom_per_step: number[];
  cases: Record<
    string,
    {
      kwargs: Kwargs;
      params_after_step_float32: number[][];
      params_after_step_float64?: number[][];
    }
  >;
};

export function adamwCases(golden: Golden, report: Report, held: Held): void {
  for (const [name, it] of Object.entries(golden.cases)) {
    const doubles = held === 'f64' ? it.params_after_step_float64 : undefined;
    const expected = doubles ?? it.params_after_step_float32;
    const tolerance = { abs: doubles ? 1e-12 : 5e-6 };
    report.near(name, 'parameters', steps(golden, it.kwargs, held), expected, tolerance);
  }
}

function steps(golden: Golden, kwargs: Kwargs, held: Held): number[][] {
  const slices = cuts(golden.param_order.map(({ shape }) => shape.reduce((a, b) => a * b, 1)));
  const variables = golden.param_order.map(({ shape }, i) =>
    variableOf(floats(single(golden.init_float32.slice(...(slices[i] ?? []))), held), shape, {
      trainable: true,
    }),
  );
  const groups = [...new Set(golden.param_order.map(({ group }) => group))].map((group) => {
    const own = (decay: boolean) =>
      variables.filter((_, i) => {
        const it = golden.param_order[i];
        return it?.group === group && it.bucket.startsWith('decay') === decay;
      });
    return { decay: own(true), noDecay: own(false) };
  });
  const { wd = 0.01, bn_wd = true, true_wd = true, none_grad = [] } = kwargs;
  const adam = new AdamW(groups, {
    beta2: golden.betas2,
    eps: golden.eps,
    trueWd: true_wd,
    bnWd: bn_wd,
  });
  return golden.grads.map((flat, step) => {
    const grads = new Map<tf.Variable, tf.Tensor>();
    golden.param_order.forEach(({ name, shape }, i) => {
      const variable = variables[i];
      if (!variable || none_grad.includes(name)) return;
      grads.set(variable, tensorOf(floats(single(flat.slice(...(slices[i] ?? []))), held), shape));
    });
    const lr = golden.lr_per_step_per_group[step] ?? [];
    adam.step(grads, { lr, mom: golden.mom_per_step[step] ?? 0, wd: lr.map(() => wd) });
    return variables.flatMap((variable) => Array.from(readValues(variable)));
  });
}

function cuts(sizes: number[]): [number, number][] {
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return [at - size, at];
  });
}

/** Inputs are float32, printed short. */
function single(values: number[]): number[] {
  return values.map(Math.fround);
}
