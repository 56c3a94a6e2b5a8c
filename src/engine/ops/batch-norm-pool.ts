import * as tf from '@tensorflow/tfjs-core';
import {
  type BatchNormAttrs,
  type BatchNormOptions,
  batchNorm,
  batchNormAttrs,
  noGradient,
} from './batch-norm.ts';
import { maxPool, type PoolAttrs, poolShape } from './pool.ts';
import { shareGradients, spendGradient } from './shared-gradient.ts';

const pool: PoolAttrs = { size: 3, stride: 2, pad: 1, ceil: false };

export type BatchNormPoolAttrs = BatchNormAttrs & { pool: PoolAttrs };

/**
 * maxPool(relu(bn(x))) of [N,H,W,C] by windows of 3x3, stride 2, pad 1, as a ResNet's stem has it. An engine that
 * has it in one kernel never makes the image between, the largest of a ResNet; where two of its values would be
 * equal only after rounding, the gradient goes to the larger one.
 */
export function batchNormMaxPool(
  x: tf.Tensor4D,
  options: Omit<BatchNormOptions, 'relu' | 'residual'>,
): tf.Tensor4D {
  if (!tf.getKernel('OcBatchNormPool', tf.getBackend())) {
    return maxPool(batchNorm(x, { ...options, relu: true }), pool);
  }
  const { gamma, beta, runningMean, runningVar } = options;
  const attrs: BatchNormPoolAttrs = { ...batchNormAttrs(x, { ...options, relu: true }), pool };
  poolShape(x.shape, pool);
  // outputs behind y: the mean and the inverse deviation that normalised
  const [y] = tf
    .engine()
    .runKernel<tf.Tensor[]>('OcBatchNormPool', { x, gamma, beta, runningMean, runningVar }, attrs);
  return y as tf.Tensor4D;
}

tf.registerGradient({
  kernelName: 'OcBatchNormPool',
  inputsToSave: ['x', 'gamma', 'beta'],
  outputsToSave: [true, true, true],
  gradFunc: (dys, saved, attrs) => {
    const dy = (dys as tf.Tensor[])[0] as tf.Tensor;
    const [x, gamma, beta, y, mean, inverseStd] = saved as tf.Tensor[];
    const [dx, dgamma, dbeta] = shareGradients(3, () => {
      const inputs = { dy, x, gamma, beta, y, mean, inverseStd } as tf.NamedTensorMap;
      const gradients = tf.engine().runKernel<tf.Tensor[]>('OcBatchNormPoolGrad', inputs, attrs);
      spendGradient(dy);
      return gradients;
    });
    return {
      x: dx as () => tf.Tensor,
      gamma: dgamma as () => tf.Tensor,
      beta: dbeta as () => tf.Tensor,
      runningMean: noGradient,
      runningVar: noGradient,
    };
  },
});
