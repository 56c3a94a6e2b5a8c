import * as tf from '@tensorflow/tfjs-core';

/**
 * Mean of -sum(target * log_softmax(logits)) over the batch: [N,C], [N,C] -> scalar. Targets are one-hot,
 * or soft ones: label smoothing and mixup are targets (their losses are linear in the target).
 */
export function softmaxCrossEntropy(logits: tf.Tensor2D, targets: tf.Tensor2D): tf.Scalar {
  if (!tf.util.arraysEqual(logits.shape, targets.shape)) {
    throw new Error(`softmaxCrossEntropy: logits [${logits.shape}], targets [${targets.shape}]`);
  }
  const [loss] = tf.engine().runKernel<tf.Tensor[]>('OcCrossEntropy', { logits, targets });
  return loss as tf.Scalar;
}

tf.registerGradient({
  kernelName: 'OcCrossEntropy',
  inputsToSave: ['targets'],
  outputsToSave: [false, true],
  gradFunc: (dys, saved) => {
    const dy = (dys as tf.Tensor[])[0] as tf.Tensor;
    const [targets, logProbabilities] = saved as [tf.Tensor, tf.Tensor];
    return {
      logits: () => tf.engine().runKernel('OcCrossEntropyGrad', { dy, targets, logProbabilities }),
      targets: () => {
        throw new Error('softmaxCrossEntropy: targets have no gradient');
      },
    };
  },
});
