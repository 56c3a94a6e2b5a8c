import { type DropoutAttrs, dropoutHash } from '../ops/dropout.ts';
import { type JsKernel, type JsTensor, need, zeros } from './kernel.ts';

/** y[i] = f(a[i], i), in the referee's precision. */
function map(a: JsTensor, f: (value: number, at: number) => number): JsTensor {
  const y = zeros(a.shape);
  for (let at = 0; at < a.values.length; at++) y.values[at] = f(a.values[at]!, at);
  return y;
}

const relu: JsKernel = (inputs) => map(need(inputs, 'x'), (x) => Math.max(x, 0));

const reluGradient: JsKernel = (inputs) => {
  const y = need(inputs, 'y').values;
  return map(need(inputs, 'dy'), (dy, at) => (y[at]! > 0 ? dy : 0));
};

const dropout: JsKernel = (inputs, { p, seed }: DropoutAttrs) => {
  const threshold = p * 2 ** 32;
  const scale = 1 / (1 - p);
  return map(need(inputs, 'x'), (x, at) => (dropoutHash(seed, at) >= threshold ? x * scale : 0));
};

const concat: JsKernel = (inputs) => {
  const a = need(inputs, 'a');
  const b = need(inputs, 'b');
  const [ac, bc] = [a.shape.at(-1) ?? 0, b.shape.at(-1) ?? 0];
  const y = zeros([...a.shape.slice(0, -1), ac + bc]);
  for (let row = 0; row < y.values.length / (ac + bc); row++) {
    y.values.set(a.values.subarray(row * ac, row * ac + ac), row * (ac + bc));
    y.values.set(b.values.subarray(row * bc, row * bc + bc), row * (ac + bc) + ac);
  }
  return y;
};

const channelSlice: JsKernel = (inputs, attrs: { from: number; channels: number }) => {
  const x = need(inputs, 'x');
  const { from, channels } = attrs;
  const width = x.shape.at(-1) ?? 0;
  const y = zeros([...x.shape.slice(0, -1), channels]);
  for (let row = 0; row < y.values.length / channels; row++) {
    const begin = row * width + from;
    y.values.set(x.values.subarray(begin, begin + channels), row * channels);
  }
  return y;
};

export const elementwiseKernels = {
  OcRelu: relu,
  OcReluGrad: reluGradient,
  OcDropout: dropout,
  OcConcat: concat,
  OcChannelSlice: channelSlice,
};
