import * as tf from '@tensorflow/tfjs-core';
import { hashKey } from '../../training/random.ts';

/** Element i survives when hash(seed, i) / 2^32 >= p: the same mask on every engine. */
export type DropoutAttrs = { p: number; seed: number };

/** Inverted dropout: zero with probability p, else x / (1 - p); the mask is a function of `key`. */
export function dropout<T extends tf.Tensor>(x: T, p: number, key: readonly number[]): T {
  const attrs: DropoutAttrs = { p, seed: hashKey(...key) };
  return tf.engine().runKernel('OcDropout', { x }, attrs);
}

/** lowbias32 of a counter that starts at the seed (github.com/skeeto/hash-prospector). */
export function dropoutHash(seed: number, index: number): number {
  let x = (seed + Math.imul(index, 0x9e3779b9)) | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

tf.registerGradient({
  kernelName: 'OcDropout',
  gradFunc: (dy, _saved, attrs) => ({
    x: () => tf.engine().runKernel('OcDropout', { x: dy as tf.Tensor }, attrs as tf.NamedAttrMap),
  }),
});
