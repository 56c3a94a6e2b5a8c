// fastai's head (vision/learner.py create_head): AdaptiveConcatPool2d, Flatten, then per linear layer
// BatchNorm1d, Dropout, Linear, ReLU. A dropout of 0 is left out, which shifts the names behind it.

import type * as tf from '@tensorflow/tfjs-core';
import { relu } from '../engine/ops/activation.ts';
import { dropout } from '../engine/ops/dropout.ts';
import { adaptiveAvgPool, adaptiveConcatPool } from '../engine/ops/pool.ts';
import type { Layer, Mode, ModelBuilder } from './model.ts';

export type HeadOptions = {
  lin_ftrs: readonly number[];
  ps: number | readonly number[];
  concat_pool: boolean;
  bn_final: boolean;
};

/** Dropout of each linear layer: one p means p/2 before the hidden layers and p before the last. */
export function headDropouts(ps: HeadOptions['ps'], hidden: number): number[] {
  const list = typeof ps === 'number' ? [ps] : [...ps];
  const [first = 0] = list;
  return list.length === 1 ? [...new Array<number>(hidden).fill(first / 2), first] : list;
}

/** Adds the head behind a body of `features` channels: [N,h,w,features] -> logits [N,classes]. */
export function createHead(
  builder: ModelBuilder,
  features: number,
  classes: number,
  options: HeadOptions,
): Layer<tf.Tensor2D> {
  const sizes = [features * (options.concat_pool ? 2 : 1), ...options.lin_ftrs, classes];
  const dropouts = headDropouts(options.ps, options.lin_ftrs.length);
  const layers: ((x: tf.Tensor2D, mode: Mode) => tf.Tensor2D)[] = [];
  let index = 2;
  dropouts.forEach((p, i) => {
    const last = i === dropouts.length - 1;
    const [inC = 0, outC = 0] = sizes.slice(i, i + 2);
    const bn = builder.batchNorm(`1.${index++}`, inC);
    layers.push((x, mode) => bn(x, mode));
    if (p !== 0) {
      const place = index++;
      layers.push((x, mode) => (mode.training ? dropout(x, p, [...mode.dropoutKey, place]) : x));
    }
    layers.push(builder.linear(`1.${index++}`, inC, outC));
    if (!last) {
      index++;
      layers.push((x) => relu(x));
    }
  });
  if (options.bn_final) {
    const bn = builder.batchNorm(`1.${index}`, classes, { momentum: 0.01 });
    layers.push((x, mode) => bn(x, mode));
  }
  const pool = options.concat_pool ? adaptiveConcatPool : adaptiveAvgPool;
  return (x, mode) => layers.reduce((h, layer) => layer(h, mode), pool(x));
}
