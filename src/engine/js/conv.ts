// Convolution by its definition: y[n,p,q,o] = sum over r,s,i of x[n,p*stride-pad+r,q*stride-pad+s,i] *
// f[r,s,i,o]; the three kernels walk the same index set, each accumulating into another of the tensors.

import {
  type ConvAttrs,
  type ConvFilterAttrs,
  type ConvInputAttrs,
  convShape,
} from '../ops/conv.ts';
import { type JsKernel, need, zeros } from './kernel.ts';

type Visit = (xAt: number, yAt: number, fAt: number) => void;

/** Calls `visit` with the offsets of a pixel of x, a pixel of y and a tap of f that belong together. */
function walk(x: number[], f: number[], { stride, pad }: ConvAttrs, visit: Visit): void {
  const [n, oh, ow, o] = convShape(x, f, { stride, pad });
  const [, h = 0, w = 0, c = 0] = x;
  const [kh = 0, kw = 0] = f;
  for (let b = 0; b < n; b++)
    for (let p = 0; p < oh; p++)
      for (let q = 0; q < ow; q++)
        for (let r = 0; r < kh; r++) {
          const row = p * stride - pad + r;
          if (row < 0 || row >= h) continue;
          for (let s = 0; s < kw; s++) {
            const column = q * stride - pad + s;
            if (column < 0 || column >= w) continue;
            visit(
              ((b * h + row) * w + column) * c,
              ((b * oh + p) * ow + q) * o,
              (r * kw + s) * c * o,
            );
          }
        }
}

const forward: JsKernel = (inputs, attrs: ConvAttrs) => {
  const x = need(inputs, 'x');
  const f = need(inputs, 'filter');
  const y = zeros(convShape(x.shape, f.shape, attrs));
  const [c = 0, o = 0] = f.shape.slice(2);
  walk(x.shape, f.shape, attrs, (xAt, yAt, fAt) => {
    for (let i = 0; i < c; i++) {
      const value = x.values[xAt + i]!;
      const taps = fAt + i * o;
      for (let j = 0; j < o; j++) y.values[yAt + j]! += value * f.values[taps + j]!;
    }
  });
  const bias = inputs.bias?.values;
  for (let at = 0; at < y.values.length; at++) {
    const value = y.values[at]! + (bias?.[at % o] ?? 0);
    y.values[at] = attrs.relu && value < 0 ? 0 : value;
  }
  return y;
};

const inputGradient: JsKernel = (inputs, attrs: ConvInputAttrs) => {
  const dy = need(inputs, 'dy');
  const f = need(inputs, 'filter');
  const dx = zeros(attrs.xShape);
  const [c = 0, o = 0] = f.shape.slice(2);
  walk(attrs.xShape, f.shape, attrs, (xAt, yAt, fAt) => {
    for (let i = 0; i < c; i++) {
      let sum = 0;
      const taps = fAt + i * o;
      for (let j = 0; j < o; j++) sum += dy.values[yAt + j]! * f.values[taps + j]!;
      dx.values[xAt + i]! += sum;
    }
  });
  return dx;
};

const filterGradient: JsKernel = (inputs, attrs: ConvFilterAttrs) => {
  const dy = need(inputs, 'dy');
  const x = need(inputs, 'x');
  const df = zeros(attrs.filterShape);
  const [c = 0, o = 0] = attrs.filterShape.slice(2);
  walk(x.shape, attrs.filterShape, attrs, (xAt, yAt, fAt) => {
    for (let i = 0; i < c; i++) {
      const value = x.values[xAt + i]!;
      const taps = fAt + i * o;
      for (let j = 0; j < o; j++) df.values[taps + j]! += value * dy.values[yAt + j]!;
    }
  });
  return df;
};

/** Sum over everything but the last axis: [...,C] -> [C]. */
const biasGradient: JsKernel = (inputs) => {
  const dy = need(inputs, 'dy');
  const channels = dy.shape.at(-1) ?? 1;
  const db = zeros([channels]);
  for (let at = 0; at < dy.values.length; at++) db.values[at % channels]! += dy.values[at]!;
  return db;
};

export const convKernels = {
  OcConv: forward,
  OcConvInputGrad: inputGradient,
  OcConvFilterGrad: filterGradient,
  OcBiasGrad: biasGradient,
};
