// AdamW as fastai v1 steps it (callback.py OptimWrapper, torch.optim.Adam): the referee, in the precision
// of the arrays it is given.

type Floats = Float32Array | Float64Array;

export type AdamStep = {
  lr: number;
  beta1: number;
  beta2: number;
  eps: number;
  wd: number;
  /** Decoupled decay before Adam; false adds wd * p to the gradient (L2). */
  trueWd: boolean;
  /** 1 - beta1^t with the current beta1, and 1 - beta2^t. */
  correction1: number;
  correction2: number;
};

/** One step in place: p *= 1 - wd*lr, then Adam; eps is added after the bias-corrected root. */
export function adamwStep(
  step: AdamStep,
  { p, g, m, v }: { p: Floats; g: Floats; m: Floats; v: Floats },
): void {
  const { lr, beta1, beta2, eps, wd, trueWd } = step;
  const keep = trueWd ? 1 - wd * lr : 1;
  const l2 = trueWd ? 0 : wd;
  const root = Math.sqrt(step.correction2);
  const size = lr / step.correction1;
  for (let i = 0; i < p.length; i++) {
    const value = p[i]!;
    const grad = g[i]! + l2 * value;
    m[i] = beta1 * m[i]! + (1 - beta1) * grad;
    v[i] = beta2 * v[i]! + (1 - beta2) * grad * grad;
    p[i] = value * keep - (size * m[i]!) / (Math.sqrt(v[i]!) / root + eps);
  }
}

/** Bias corrections of step t (1 is the first). */
export function corrections(t: number, beta1: number, beta2: number) {
  return { correction1: 1 - beta1 ** t, correction2: 1 - beta2 ** t };
}
