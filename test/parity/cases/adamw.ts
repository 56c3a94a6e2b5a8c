import type * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { AdamW } from '../../../src/engine/ops/adamw.ts';
import { readValues, tensorOf, variableOf } from '../../../src/engine/storage.ts';
import { floats, type Held } from '../precision.ts';
import type { Report } from '../report.ts';
import { leaveOut } from '../watched.ts';

/** What fastai's optimiser was asked for: `frozen` never had a gradient, `none_grad` had none for once. */
const Kwargs = z.strictObject({
  wd: z.union([z.number(), z.array(z.number())]).default(0.01),
  bn_wd: z.boolean().default(true),
  true_wd: z.boolean().default(true),
  none_grad: z.array(z.string()).default([]),
  frozen: z.array(z.string()).default([]),
});
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
      kwargs: unknown;
      params_after_step_float32: number[][];
      max_abs_diff_float32_vs_float64: number;
      params_after_step_float64?: number[][];
    }
  >;
};

export async function adamwCases(golden: Golden, report: Report, held: Held): Promise<void> {
  for (const [name, given] of Object.entries(golden.cases)) {
    await report.run(name, given, (it) => one(golden, name, it, { report, held }));
  }
}

function one(
  golden: Golden,
  name: string,
  it: Golden['cases'][string],
  { report, held }: { report: Report; held: Held },
): void {
  const doubles = held === 'f64' ? it.params_after_step_float64 : undefined;
  const expected = doubles ?? it.params_after_step_float32;
  const tolerance = { abs: doubles ? 1e-12 : 5e-6 };
  report.near(
    name,
    'parameters',
    steps(golden, Kwargs.parse(it.kwargs), held),
    expected,
    tolerance,
  );
  // how far fastai's own two runs are apart
  leaveOut(it, ['max_abs_diff_float32_vs_float64', 'params_after_step_float32']);
}

function steps(golden: Golden, kwargs: z.infer<typeof Kwargs>, held: Held): number[][] {
  const slices = cuts(golden.param_order.map(({ shape }) => shape.reduce((a, b) => a * b, 1)));
  const variables = golden.param_order.map(({ shape }, i) =>
    variableOf(floats(single(golden.init_float32.slice(...(slices[i] ?? []))), held), shape, {
      trainable: true,
    }),
  );
  const { wd, bn_wd, true_wd, none_grad, frozen } = kwargs;
  for (const name of [...none_grad, ...frozen]) {
    if (!golden.param_order.some((it) => it.name === name)) throw new Error(`no parameter ${name}`);
  }
  const groups = [...new Set(golden.param_order.map(({ group }) => group))].map((group) => {
    const own = (decay: boolean) =>
      variables.filter((_, i) => {
        const it = golden.param_order[i];
        if (it?.group !== group || frozen.includes(it.name)) return false;
        return it.bucket.startsWith('decay') === decay;
      });
    return { decay: own(true), noDecay: own(false) };
  });
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
      if (!variable || none_grad.includes(name) || frozen.includes(name)) return;
      grads.set(variable, tensorOf(floats(single(flat.slice(...(slices[i] ?? []))), held), shape));
    });
    const lr = golden.lr_per_step_per_group[step] ?? [];
    const wds = typeof wd === 'number' ? lr.map(() => wd) : wd;
    if (wds.length !== lr.length) throw new Error(`${wds.length} wd for ${lr.length} groups`);
    adam.step(grads, { lr, mom: golden.mom_per_step[step] ?? 0, wd: wds });
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
