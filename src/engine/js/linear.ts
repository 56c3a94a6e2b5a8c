import { type JsKernel, need, zeros } from './kernel.ts';

const forward: JsKernel = (inputs) => {
  const x = need(inputs, 'x');
  const weight = need(inputs, 'weight');
  const [n = 0, inC = 0] = x.shape;
  const [outC = 0] = weight.shape;
  const y = zeros([n, outC]);
  for (let b = 0; b < n; b++)
    for (let o = 0; o < outC; o++) {
      let sum = inputs.bias?.values[o] ?? 0;
      for (let i = 0; i < inC; i++) sum += x.values[b * inC + i]! * weight.values[o * inC + i]!;
      y.values[b * outC + o] = sum;
    }
  return y;
};

const inputGradient: JsKernel = (inputs) => {
  const dy = need(inputs, 'dy');
  const weight = need(inputs, 'weight');
  const [n = 0, outC = 0] = dy.shape;
  const inC = weight.shape[1] ?? 0;
  const dx = zeros([n, inC]);
  for (let b = 0; b < n; b++)
    for (let o = 0; o < outC; o++) {
      const g = dy.values[b * outC + o]!;
      for (let i = 0; i < inC; i++) dx.values[b * inC + i]! += g * weight.values[o * inC + i]!;
    }
  return dx;
};

const weightGradient: JsKernel = (inputs) => {
  const dy = need(inputs, 'dy');
  const x = need(inputs, 'x');
  const [n = 0, outC = 0] = dy.shape;
  const inC = x.shape[1] ?? 0;
  const dw = zeros([outC, inC]);
  for (let b = 0; b < n; b++)
    for (let o = 0; o < outC; o++) {
      const g = dy.values[b * outC + o]!;
      for (let i = 0; i < inC; i++) dw.values[o * inC + i]! += g * x.values[b * inC + i]!;
    }
  return dw;
};

export const linearKernels = {
  OcLinear: forward,
  OcLinearInputGrad: inputGradient,
  OcLinearWeightGrad: weightGradient,
};
