import type * as tf from '@tensorflow/tfjs-core';
import { createHead } from '../../src/models/head.ts';
import { type Layer, type Model, ModelBuilder } from '../../src/models/model.ts';

/** The golden tiny CNN: three convolutions with batch norm and ReLU, and fastai's head; groups cut at 0.4 and 1. */
export function tinyModel(): Model {
  const b = new ModelBuilder(1);
  const stage = (conv: string, bn: string, inC: number, outC: number): Layer => {
    const convolve = b.conv(conv, inC, outC, 3, 2, 1);
    const norm = b.batchNorm(bn, outC, { relu: true });
    return (x, mode) => norm(convolve(x, mode), mode) as tf.Tensor4D;
  };
  const stages = [stage('0.0', '0.1', 3, 4), stage('0.3.0', '0.3.1', 4, 6)];
  b.group = 1;
  stages.push(stage('0.4.0', '0.4.1', 6, 8));
  b.group = 2;
  const head = createHead(b, 8, 3, { lin_ftrs: [8], ps: 0, concat_pool: true, bn_final: false });
  return b.build((x, mode) => stages.reduce((h, layer) => layer(h, mode), x), head);
}
