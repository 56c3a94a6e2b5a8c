// What the native kernels' files share: how TF.js calls a kernel, and what a native call takes of a shape.

import * as tf from '@tensorflow/tfjs-core';
import { type PoolAttrs, poolShape } from '../ops/pool.ts';
import type { OnednnBackend } from './backend.ts';
import type { PoolArgs } from './native.ts';

export type Infos = Record<string, tf.TensorInfo>;
export type Kernel = (
  inputs: Infos,
  attrs: never,
  backend: OnednnBackend,
) => tf.TensorInfo | tf.TensorInfo[];

/** The input of that name; ops check what they pass, so a missing one is a bug. */
export function need(inputs: Infos, name: string): tf.TensorInfo {
  const info = inputs[name];
  if (!info) throw new Error(`kernel input ${name} is missing`);
  return info;
}

export const sizeOf = (info: tf.TensorInfo) => tf.util.sizeFromShape(info.shape);

export const poolArgs = (x: number[], attrs: PoolAttrs): PoolArgs => {
  const [n = 0, h = 0, w = 0, c = 0] = x;
  const [, oh, ow] = poolShape(x, attrs);
  return [n, h, w, c, attrs.size, attrs.stride, attrs.pad, oh, ow];
};
