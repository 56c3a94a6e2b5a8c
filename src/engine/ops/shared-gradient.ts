// A kernel that yields several gradients at once, behind TF.js's tape, which asks for them one by one and
// disposes what a call did not return.

import * as tf from '@tensorflow/tfjs-core';

type Scopes = { track(tensor: tf.Tensor): tf.Tensor };

let unclaimed = new Set<tf.Tensor>();
let ours = false;

/**
 * Runs a backward pass whose gradients nobody else holds: an op may give a gradient's memory back as soon as it
 * has used it, and the next one is written where the cache is warm.
 */
export function ownGradients<T>(backward: () => T): T {
  ours = true;
  try {
    return backward();
  } finally {
    ours = false;
    releaseUnclaimedGradients();
  }
}

/** Disposes the gradient of an output when its op was the only one to read it. */
export function spendGradient(dy: tf.Tensor): void {
  if (ours) dy.dispose();
}

/** One thunk per gradient; `compute` runs at the first call, and each result is handed out once. */
export function shareGradients(count: number, compute: () => tf.Tensor[]): (() => tf.Tensor)[] {
  let results: tf.Tensor[] | null = null;
  return Array.from({ length: count }, (_, index) => () => {
    if (results === null) {
      results = compute();
      results.forEach(keepUntilRelease);
    }
    const tensor = results[index] as tf.Tensor;
    unclaimed.delete(tensor);
    tensor.kept = false;
    // back under the care of the scope that asks (Engine.track is private in the typings only)
    (tf.engine() as unknown as Scopes).track(tensor);
    return tensor;
  });
}

/** Keeps a tensor that several gradient calls read, until the backward pass is over. */
export function keepUntilRelease(tensor: tf.Tensor): tf.Tensor {
  unclaimed.add(tf.keep(tensor));
  return tensor;
}

/** Disposes gradients that nobody asked for, when a backward pass is over. */
export function releaseUnclaimedGradients(): void {
  for (const tensor of unclaimed) tensor.dispose();
  unclaimed = new Set();
}
