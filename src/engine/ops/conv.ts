import * as tf from '@tensorflow/tfjs-core';
import { keepUntilRelease } from './shared-gradient.ts';

export type ConvAttrs = { stride: number; pad: number; relu: boolean };
export type ConvInputAttrs = ConvAttrs & { xShape: number[] };
export type ConvFilterAttrs = ConvAttrs & { filterShape: number[] };

/**
 * Convolution, NHWC, filter HWIO, padded by `pad` zeros on every side as PyTorch does, with an optional
 * bias and ReLU: [N,H,W,I] -> [N,(H+2p-kh)/s+1,(W+2p-kw)/s+1,O].
 */
export function conv2d(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  options: { stride: number; pad: number; bias?: tf.Tensor1D; relu?: boolean },
): tf.Tensor4D {
  const { stride, pad, bias, relu = false } = options;
  convShape(x.shape, filter.shape, { stride, pad });
  const inputs: tf.NamedTensorMap = bias ? { x, filter, bias } : { x, filter };
  return tf.engine().runKernel('OcConv', inputs, { stride, pad, relu });
}

/** Output shape. @throws Error that names the shapes when they do not fit */
export function convShape(
  x: number[],
  filter: number[],
  { stride, pad }: { stride: number; pad: number },
): [number, number, number, number] {
  const [n = 0, h = 0, w = 0, c = 0] = x;
  const [kh = 0, kw = 0, i = 0, o = 0] = filter;
  const oh = Math.floor((h + 2 * pad - kh) / stride) + 1;
  const ow = Math.floor((w + 2 * pad - kw) / stride) + 1;
  if (x.length !== 4 || filter.length !== 4 || i !== c || oh < 1 || ow < 1) {
    throw new Error(
      `conv2d: input [${x}] (NHWC) and filter [${filter}] (HWIO) do not fit at stride ${stride}, pad ${pad}`,
    );
  }
  return [n, oh, ow, o];
}

tf.registerGradient({
  kernelName: 'OcConv',
  inputsToSave: ['x', 'filter'],
  outputsToSave: [true],
  gradFunc: (dy, saved, attrs) => {
    const [x, filter, y] = saved as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
    const conv = attrs as unknown as ConvAttrs;
    const engine = tf.engine();
    let masked: tf.Tensor | null = null;
    const grad = (): tf.Tensor => {
      if (!conv.relu) return dy as tf.Tensor;
      masked ??= keepUntilRelease(
        engine.runKernel<tf.Tensor>('OcReluGrad', { dy: dy as tf.Tensor, y }),
      );
      return masked;
    };
    return {
      x: () => {
        const inputAttrs: ConvInputAttrs = { ...conv, xShape: x.shape };
        return engine.runKernel('OcConvInputGrad', { dy: grad(), filter }, inputAttrs);
      },
      filter: () => {
        const filterAttrs: ConvFilterAttrs = { ...conv, filterShape: filter.shape };
        return engine.runKernel('OcConvFilterGrad', { dy: grad(), x }, filterAttrs);
      },
      bias: () => engine.runKernel('OcBiasGrad', { dy: grad() }),
    };
  },
});
