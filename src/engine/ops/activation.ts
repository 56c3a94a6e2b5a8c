import * as tf from '@tensorflow/tfjs-core';

/** max(x, 0); the gradient at 0 is 0, as in PyTorch. */
export function relu<T extends tf.Tensor>(x: T): T {
  return tf.engine().runKernel('OcRelu', { x });
}

tf.registerGradient({
  kernelName: 'OcRelu',
  outputsToSave: [true],
  gradFunc: (dy, [y]) => ({
    x: () => tf.engine().runKernel('OcReluGrad', { dy: dy as tf.Tensor, y: y as tf.Tensor }),
  }),
});
