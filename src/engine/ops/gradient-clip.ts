import type * as tf from '@tensorflow/tfjs-core';
import { stored } from '../storage.ts';

/** Scales all gradients in place so that their global L2 norm is at most `max` (torch clip_grad_norm_). */
export function clipGradNorm(grads: readonly tf.Tensor[], max: number): number {
  const arrays = grads.map((grad) => stored(grad).values);
  let squares = 0;
  for (const values of arrays) for (const value of values) squares += value * value;
  const norm = Math.sqrt(squares);
  const scale = max / (norm + 1e-6);
  if (scale < 1) {
    for (const values of arrays) for (let i = 0; i < values.length; i++) values[i]! *= scale;
  }
  return norm;
}
