import * as tf from '@tensorflow/tfjs-core';

/** x W^T + b with PyTorch's weight layout: [N,I], [O,I], [O] -> [N,O]. */
export function linear(x: tf.Tensor2D, weight: tf.Tensor2D, bias: tf.Tensor1D | null): tf.Tensor2D {
  if (x.shape[1] !== weight.shape[1] || (bias && bias.size !== weight.shape[0])) {
    throw new Error(`linear: x [${x.shape}] does not fit weight [${weight.shape}] (out, in)`);
  }
  return tf.engine().runKernel('OcLinear', bias ? { x, weight, bias } : { x, weight });
}

tf.registerGradient({
  kernelName: 'OcLinear',
  inputsToSave: ['x', 'weight'],
  gradFunc: (dys, saved) => {
    const dy = dys as tf.Tensor2D;
    const [x, weight] = saved as [tf.Tensor2D, tf.Tensor2D];
    const engine = tf.engine();
    return {
      x: () => engine.runKernel('OcLinearInputGrad', { dy, weight }),
      weight: () => engine.runKernel('OcLinearWeightGrad', { dy, x }),
      bias: () => engine.runKernel('OcBiasGrad', { dy }),
    };
  },
});
