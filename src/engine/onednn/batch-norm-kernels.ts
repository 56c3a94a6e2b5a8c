// Batch norm, alone and with the max pooling behind it.

import type * as tf from '@tensorflow/tfjs-core';
import type { BatchNormAttrs } from '../ops/batch-norm.ts';
import type { BatchNormPoolAttrs } from '../ops/batch-norm-pool.ts';
import { poolShape } from '../ops/pool.ts';
import { type Kernel, need, poolArgs, sizeOf } from './kernel.ts';
import type { BatchNormArgs } from './native.ts';

const batchNormArgs = (x: tf.TensorInfo, attrs: BatchNormAttrs): BatchNormArgs => {
  const { training, updateRunning, relu, momentum, eps } = attrs;
  const channels = x.shape.at(-1) ?? 1;
  return [sizeOf(x) / channels, channels, training, updateRunning, relu, momentum, eps];
};

export const batchNormKernels: Record<string, Kernel> = {
  OcBatchNorm(inputs, attrs: BatchNormAttrs, b) {
    const x = need(inputs, 'x');
    const channels = x.shape.at(-1) ?? 1;
    const y = b.make(x.shape);
    const [mean, inverseStd] = [b.makeFloats([channels]), b.makeFloats([channels])];
    b.native.batchNorm(
      ...batchNormArgs(x, attrs),
      b.values(x),
      b.floats(need(inputs, 'gamma')),
      b.floats(need(inputs, 'beta')),
      b.floats(need(inputs, 'runningMean')),
      b.floats(need(inputs, 'runningVar')),
      inputs.residual ? b.values(inputs.residual) : null,
      y.values,
      mean.values,
      inverseStd.values,
    );
    return [y.info, mean.info, inverseStd.info];
  },
  OcBatchNormGrad(inputs, attrs: BatchNormAttrs, b) {
    const x = need(inputs, 'x');
    const channels = x.shape.at(-1) ?? 1;
    const [dgamma, dbeta] = [b.makeFloats([channels]), b.makeFloats([channels])];
    const dx = b.make(x.shape);
    const dresidual = attrs.hasResidual ? b.make(x.shape) : null;
    b.native.batchNormGrad(
      ...batchNormArgs(x, attrs),
      b.values(x),
      b.values(need(inputs, 'dy')),
      b.values(need(inputs, 'y')),
      b.floats(need(inputs, 'gamma')),
      b.floats(need(inputs, 'beta')),
      b.floats(need(inputs, 'mean')),
      b.floats(need(inputs, 'inverseStd')),
      dx.values,
      dgamma.values,
      dbeta.values,
      dresidual?.values ?? null,
    );
    const gradients = [dx.info, dgamma.info, dbeta.info];
    return dresidual ? [...gradients, dresidual.info] : gradients;
  },
  OcBatchNormPool(inputs, attrs: BatchNormPoolAttrs, b) {
    const x = need(inputs, 'x');
    const channels = x.shape.at(-1) ?? 1;
    const shape = poolShape(x.shape, attrs.pool);
    const y = b.make(shape);
    const [mean, inverseStd] = [b.makeFloats([channels]), b.makeFloats([channels])];
    b.native.batchNormPool(
      ...batchNormArgs(x, attrs),
      ...poolArgs(x.shape, attrs.pool),
      b.values(x),
      b.floats(need(inputs, 'gamma')),
      b.floats(need(inputs, 'beta')),
      b.floats(need(inputs, 'runningMean')),
      b.floats(need(inputs, 'runningVar')),
      y.values,
      b.makePeaks(y.info),
      b.makePlaces(y.info),
      mean.values,
      inverseStd.values,
    );
    return [y.info, mean.info, inverseStd.info];
  },
  OcBatchNormPoolGrad(inputs, attrs: BatchNormPoolAttrs, b) {
    const [x, y] = [need(inputs, 'x'), need(inputs, 'y')];
    const channels = x.shape.at(-1) ?? 1;
    const [dgamma, dbeta] = [b.makeFloats([channels]), b.makeFloats([channels])];
    const dx = b.make(x.shape);
    b.native.batchNormPoolGrad(
      ...batchNormArgs(x, attrs),
      ...poolArgs(x.shape, attrs.pool),
      b.values(x),
      b.values(need(inputs, 'dy')),
      b.peaks(y),
      b.places(y),
      b.floats(need(inputs, 'gamma')),
      b.floats(need(inputs, 'beta')),
      b.floats(need(inputs, 'mean')),
      b.floats(need(inputs, 'inverseStd')),
      dx.values,
      dgamma.values,
      dbeta.values,
    );
    return [dx.info, dgamma.info, dbeta.info];
  },
};
