import {
  type GlobalPoolAttrs,
  type PoolAttrs,
  type PoolGradAttrs,
  poolShape,
} from '../ops/pool.ts';
import { type JsKernel, need, zeros } from './kernel.ts';

/** `places`: the offset of each maximum in its window, row * size + column. */
const maxPool: JsKernel = (inputs, attrs: PoolAttrs) => {
  const x = need(inputs, 'x');
  const { size, stride, pad } = attrs;
  const [n = 0, h = 0, w = 0, c = 0] = x.shape;
  const shape = poolShape(x.shape, attrs);
  const y = zeros(shape);
  const places = zeros(shape);
  const [, oh, ow] = shape;
  let at = 0;
  for (let b = 0; b < n; b++)
    for (let p = 0; p < oh; p++)
      for (let q = 0; q < ow; q++)
        for (let k = 0; k < c; k++, at++) {
          let best = Number.NEGATIVE_INFINITY;
          for (let r = 0; r < size; r++)
            for (let s = 0; s < size; s++) {
              const row = p * stride - pad + r;
              const column = q * stride - pad + s;
              if (row < 0 || row >= h || column < 0 || column >= w) continue;
              const value = x.values[((b * h + row) * w + column) * c + k]!;
              if (value > best || Number.isNaN(value)) {
                best = value;
                places.values[at] = r * size + s;
              }
            }
          y.values[at] = best;
        }
  return [y, places];
};

const maxPoolGradient: JsKernel = (inputs, attrs: PoolGradAttrs) => {
  const dy = need(inputs, 'dy');
  const places = need(inputs, 'places').values;
  const { size, stride, pad, xShape } = attrs;
  const dx = zeros(xShape);
  const [n = 0, h = 0, w = 0, c = 0] = xShape;
  const [, oh = 0, ow = 0] = dy.shape;
  let at = 0;
  for (let b = 0; b < n; b++)
    for (let p = 0; p < oh; p++)
      for (let q = 0; q < ow; q++)
        for (let k = 0; k < c; k++, at++) {
          const place = places[at]!;
          const row = p * stride - pad + Math.floor(place / size);
          const column = q * stride - pad + (place % size);
          dx.values[((b * h + row) * w + column) * c + k]! += dy.values[at]!;
        }
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
