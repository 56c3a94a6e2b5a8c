import * as tf from '@tensorflow/tfjs-core';
import { shareGradients, spendGradient } from './shared-gradient.ts';

export type BatchNormOptions = {
  gamma: tf.Tensor1D;
  beta: tf.Tensor1D;
  /** Changed in place by a training pass with `updateRunning`. */
  runningMean: tf.Variable<tf.Rank.R1>;
  runningVar: tf.Variable<tf.Rank.R1>;
  /** Batch statistics instead of the running ones. */
  training: boolean;
  updateRunning: boolean;
  momentum?: number;
  eps?: number;
  relu?: boolean;
  /** Added before the ReLU; of x's shape. */
  residual?: tf.Tensor;
};
export type BatchNormAttrs = {
  training: boolean;
  updateRunning: boolean;
  momentum: number;
  eps: number;
  relu: boolean;
  hasResidual: boolean;
};

/**
 * relu?(bn(x) + residual?) over the last axis of [N,H,W,C] or [N,C], with PyTorch's semantics: the biased
 * variance normalises, the unbiased one enters the running statistics (golden ops.json).
 */
export function batchNorm<T extends tf.Tensor>(x: T, options: BatchNormOptions): T {
  const { gamma, beta, runningMean, runningVar, residual } = options;
  const attrs = batchNormAttrs(x, options);
  const inputs: tf.NamedTensorMap = { x, gamma, beta, runningMean, runningVar };
  if (residual) inputs.residual = residual;
  // outputs behind y: the mean and the inverse deviation that normalised, for the gradient
  const [y] = tf.engine().runKernel<tf.Tensor[]>('OcBatchNorm', inputs, attrs);
  return y as T;
}

/** @throws Error that names the shapes when they do not fit */
export function batchNormAttrs(x: tf.Tensor, options: BatchNormOptions): BatchNormAttrs {
  const { gamma, residual, training, updateRunning } = options;
  const channels = x.shape.at(-1);
  if (gamma.size !== channels || (residual && !tf.util.arraysEqual(residual.shape, x.shape))) {
    throw new Error(
      `batchNorm: x [${x.shape}] does not fit gamma [${gamma.shape}]${residual ? `, residual [${residual.shape}]` : ''}`,
    );
  }
  if (training && x.size === channels) {
    throw new Error(
      `batchNorm: expected more than 1 value per channel when training, got [${x.shape}]`,
    );
  }
  return {
    training,
    updateRunning,
    momentum: options.momentum ?? 0.1,
    eps: options.eps ?? 1e-5,
    relu: options.relu ?? false,
    hasResidual: residual !== undefined,
  };
}

/** The running statistics of a batch norm are changed by it, not learnt. */
export function noGradient(): never {
  throw new Error('batchNorm: running statistics have no gradient');
}

tf.registerGradient({
  kernelName: 'OcBatchNorm',
  inputsToSave: ['x', 'gamma', 'beta'],
  outputsToSave: [true, true, true],
  gradFunc: (dys, saved, attrs) => {
    const dy = (dys as tf.Tensor[])[0] as tf.Tensor;
    const [x, gamma, beta, y, mean, inverseStd] = saved as [
      tf.Tensor,
      tf.Tensor1D,
      tf.Tensor1D,
      tf.Tensor,
      tf.Tensor1D,
      tf.Tensor1D,
    ];
    const { hasResidual } = attrs as unknown as BatchNormAttrs;
    const inputs = { dy, x, gamma, beta, y, mean, inverseStd };
    const [dx, dgamma, dbeta, dresidual] = shareGradients(hasResidual ? 4 : 3, () => {
      const gradients = tf.engine().runKernel<tf.Tensor[]>('OcBatchNormGrad', inputs, attrs);
      spendGradient(dy);
      return gradients;
    });
    return {
      x: dx as () => tf.Tensor,
      gamma: dgamma as () => tf.Tensor,
      beta: dbeta as () => tf.Tensor,
      residual: dresidual as () => tf.Tensor,
      runningMean: noGradient,
      runningVar: noGradient,
    };
  },
});
