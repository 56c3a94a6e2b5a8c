import * as tf from '@tensorflow/tfjs-core';

export type PoolAttrs = { size: number; stride: number; pad: number; ceil: boolean };
export type GlobalPoolAttrs = { max: boolean };

/** Max pooling, NHWC, padded symmetrically; the first maximum in row-major order takes the gradient. */
export function maxPool(
  x: tf.Tensor4D,
  options: { size: number; stride: number; pad: number; ceil?: boolean },
): tf.Tensor4D {
  const attrs: PoolAttrs = { ceil: false, ...options };
  poolShape(x.shape, attrs);
  return tf.engine().runKernel('OcMaxPool', { x }, attrs);
}

/** Output shape, PyTorch's rule: with `ceil`, a window must begin inside the image or its left padding. */
export function poolShape(
  [n = 0, h = 0, w = 0, c = 0]: number[],
  { size, stride, pad, ceil }: PoolAttrs,
): [number, number, number, number] {
  const out = (length: number) => {
    const windows = (length + 2 * pad - size) / stride;
    const count = (ceil ? Math.ceil(windows) : Math.floor(windows)) + 1;
    return ceil && (count - 1) * stride >= length + pad ? count - 1 : count;
  };
  if (out(h) < 1 || out(w) < 1) {
    throw new Error(`maxPool: input [${[n, h, w, c]}] is smaller than a window of ${size}`);
  }
  return [n, out(h), out(w), c];
}

/** fastai's AdaptiveConcatPool2d(1), flattened: [N,H,W,C] -> [N,2C], maxima first, then means. */
export function adaptiveConcatPool(x: tf.Tensor4D): tf.Tensor2D {
  return globalPool(x, { max: true });
}

/** Mean over the image: [N,H,W,C] -> [N,C]. */
export function adaptiveAvgPool(x: tf.Tensor4D): tf.Tensor2D {
  return globalPool(x, { max: false });
}

function globalPool(x: tf.Tensor4D, attrs: GlobalPoolAttrs): tf.Tensor2D {
  const [y] = tf.engine().runKernel<tf.Tensor2D[]>('OcGlobalPool', { x }, attrs);
  return y as tf.Tensor2D;
}

tf.registerGradient({
  kernelName: 'OcMaxPool',
  inputsToSave: ['x'],
  outputsToSave: [true],
  gradFunc: (dy, saved, attrs) => {
    const [x, y] = saved as [tf.Tensor4D, tf.Tensor4D];
    const inputs = { dy: dy as tf.Tensor, x, y };
    return { x: () => tf.engine().runKernel('OcMaxPoolGrad', inputs, attrs) };
  },
});

tf.registerGradient({
  kernelName: 'OcGlobalPool',
  inputsToSave: ['x'],
  outputsToSave: [false, true],
  gradFunc: (dys, saved, attrs) => {
    const dy = (dys as tf.Tensor[])[0] as tf.Tensor;
    const [x, places] = saved as [tf.Tensor4D, tf.Tensor];
    const gradAttrs = { ...attrs, xShape: x.shape };
    return { x: () => tf.engine().runKernel('OcGlobalPoolGrad', { dy, places }, gradAttrs) };
  },
});
