import { type GlobalPoolAttrs, type PoolAttrs, poolShape } from '../ops/pool.ts';
import { type JsKernel, type JsTensor, need, zeros } from './kernel.ts';

/** Calls `visit` for each output with its offset and the offset of its maximum in x: the first, or a NaN. */
function walk(x: JsTensor, attrs: PoolAttrs, visit: (at: number, from: number) => void): void {
  const { size, stride, pad } = attrs;
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const [, oh, ow] = poolShape(x.shape, attrs);
  let at = 0;
  for (let b = 0; b < n; b++)
    for (let p = 0; p < oh; p++)
      for (let q = 0; q < ow; q++)
        for (let k = 0; k < c; k++, at++) {
          let best = Number.NEGATIVE_INFINITY;
          let from = -1;
          for (let r = 0; r < size; r++)
            for (let s = 0; s < size; s++) {
              const row = p * stride - pad + r;
              const column = q * stride - pad + s;
              if (row < 0 || row >= h || column < 0 || column >= w) continue;
              const here = ((b * h + row) * w + column) * c + k;
              const value = x.values[here]!;
              if (from >= 0 && !(value > best || Number.isNaN(value))) continue;
              best = value;
              from = here;
            }
          visit(at, from);
        }
}

const maxPool: JsKernel = (inputs, attrs: PoolAttrs) => {
  const x = need(inputs, 'x');
  const y = zeros(poolShape(x.shape, attrs));
  walk(x, attrs, (at, from) => {
    y.values[at] = x.values[from]!;
  });
  return y;
};

const maxPoolGradient: JsKernel = (inputs, attrs: PoolAttrs) => {
  const x = need(inputs, 'x');
  const dy = need(inputs, 'dy');
  const dx = zeros(x.shape);
  walk(x, attrs, (at, from) => {
    dx.values[from]! += dy.values[at]!;
  });
  return dx;
};

/** `places`: the pixel of each maximum, row * W + column. */
const globalPool: JsKernel = (inputs, { max }: GlobalPoolAttrs) => {
  const x = need(inputs, 'x');
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const y = zeros([n, max ? 2 * c : c]);
  const places = zeros([n, max ? c : 0]);
  const means = max ? c : 0;
  const width = y.shape[1] ?? 0;
  for (let b = 0; b < n; b++)
    for (let k = 0; k < c; k++) {
      let sum = 0;
      let best = Number.NEGATIVE_INFINITY;
      for (let pixel = 0; pixel < h * w; pixel++) {
        const value = x.values[(b * h * w + pixel) * c + k]!;
        sum += value;
        if (max && (value > best || Number.isNaN(value))) {
          best = value;
          places.values[b * c + k] = pixel;
        }
      }
      if (max) y.values[b * width + k] = best;
      y.values[b * width + means + k] = sum / (h * w);
    }
  return [y, places];
};

const globalPoolGradient: JsKernel = (inputs, attrs: GlobalPoolAttrs & { xShape: number[] }) => {
  const dy = need(inputs, 'dy').values;
  const places = need(inputs, 'places').values;
  const dx = zeros(attrs.xShape);
  const [n = 0, h = 0, w = 0, c = 0] = attrs.xShape;
  const width = attrs.max ? 2 * c : c;
  for (let b = 0; b < n; b++)
    for (let k = 0; k < c; k++) {
      const share = dy[b * width + width - c + k]! / (h * w);
      for (let pixel = 0; pixel < h * w; pixel++) dx.values[(b * h * w + pixel) * c + k] = share;
      if (attrs.max) dx.values[(b * h * w + places[b * c + k]!) * c + k]! += dy[b * width + k]!;
    }
  return dx;
};

export const poolKernels = {
  OcMaxPool: maxPool,
  OcMaxPoolGrad: maxPoolGradient,
  OcGlobalPool: globalPool,
  OcGlobalPoolGrad: globalPoolGradient,
};
