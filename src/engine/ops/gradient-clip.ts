import * as tf from '@tensorflow/tfjs-core';
import { OnednnBackend } from '../onednn/backend.ts';
import { stored } from '../storage.ts';

/** Scales all gradients in place so that their global L2 norm is at most `max` (torch clip_grad_norm_). */
export function clipGradNorm(grads: readonly tf.Tensor[], max: number): void {
  const arrays = grads.map((grad) => stored(grad).values);
  const backend = tf.backend();
  if (backend instanceof OnednnBackend) {
    // gradients of parameters are float32 in either precision
    backend.native.clipGradNorm(max, arrays as Float32Array[]);
    return;
  }
  let squares = 0;
  for (const values of arrays) for (const value of values) squares += value * value;
  const scale = max / (Math.sqrt(squares) + 1e-6);
  if (scale >= 1) return;
  for (const values of arrays) for (let i = 0; i < values.length; i++) values[i]! *= scale;
}
