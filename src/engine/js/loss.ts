import { type JsKernel, need, zeros } from './kernel.ts';

const forward: JsKernel = (inputs) => {
  const logits = need(inputs, 'logits');
  const targets = need(inputs, 'targets').values;
  const [n = 0, classes = 0] = logits.shape;
  const logProbabilities = zeros(logits.shape);
  const loss = zeros([]);
  let sum = 0;
  for (let b = 0; b < n; b++) {
    const row = logits.values.subarray(b * classes, (b + 1) * classes);
    let top = Number.NEGATIVE_INFINITY;
    for (const value of row) top = Math.max(top, value);
    let total = 0;
    for (const value of row) total += Math.exp(value - top);
    const logTotal = top + Math.log(total);
    for (let c = 0; c < classes; c++) {
      const logP = row[c]! - logTotal;
      logProbabilities.values[b * classes + c] = logP;
      const target = targets[b * classes + c]!;
      if (target !== 0) sum -= target * logP;
    }
  }
  loss.values[0] = sum / n;
  return [loss, logProbabilities];
};

const backward: JsKernel = (inputs) => {
  const dy = need(inputs, 'dy').values[0]!;
  const targets = need(inputs, 'targets').values;
  const logP = need(inputs, 'logProbabilities');
  const [n = 1, classes = 0] = logP.shape;
  const dx = zeros(logP.shape);
  for (let b = 0; b < n; b++) {
    const row = b * classes;
    let mass = 0;
    for (let c = 0; c < classes; c++) mass += targets[row + c]!;
    for (let c = 0; c < classes; c++) {
      const p = Math.exp(logP.values[row + c]!);
      dx.values[row + c] = ((mass * p - targets[row + c]!) * dy) / n;
    }
  }
  return dx;
};

export const lossKernels = { OcCrossEntropy: forward, OcCrossEntropyGrad: backward };
