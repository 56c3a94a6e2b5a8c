import * as tf from '@tensorflow/tfjs-core';

/** Side by side in the last axis: [N,H,W,A], [N,H,W,B] -> [N,H,W,A+B]. */
export function concatChannels(a: tf.Tensor4D, b: tf.Tensor4D): tf.Tensor4D {
  if (!tf.util.arraysEqual(a.shape.slice(0, 3), b.shape.slice(0, 3))) {
    throw new Error(`concatChannels: [${a.shape}] and [${b.shape}] differ before the last axis`);
  }
  return tf.engine().runKernel('OcConcat', { a, b });
}

tf.registerGradient({
  kernelName: 'OcConcat',
  inputsToSave: ['a', 'b'],
  gradFunc: (dy, [a, b]) => {
    const part = (from: number, channels: number): tf.Tensor =>
      tf.engine().runKernel('OcChannelSlice', { x: dy as tf.Tensor }, { from, channels });
    const channelsOf = (t?: tf.Tensor) => t?.shape.at(-1) ?? 0;
    return { a: () => part(0, channelsOf(a)), b: () => part(channelsOf(a), channelsOf(b)) };
  },
});
