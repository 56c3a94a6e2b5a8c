// The native kernels under the names of their ops; everything else is TF.js's own CPU code.

import * as tf from '@tensorflow/tfjs-core';
import {
  type ConvAttrs,
  type ConvFilterAttrs,
  type ConvInputAttrs,
  convShape,
} from '../ops/conv.ts';
import type { DropoutAttrs } from '../ops/dropout.ts';
import { type GlobalPoolAttrs, type PoolAttrs, poolShape } from '../ops/pool.ts';
import type { OnednnBackend } from './backend.ts';
import { batchNormKernels } from './batch-norm-kernels.ts';
import { type Infos, type Kernel, need, poolArgs, sizeOf } from './kernel.ts';
import type { ConvArgs } from './native.ts';

const convArgs = (x: number[], f: number[], { stride, pad }: ConvAttrs): ConvArgs => {
  const [n = 0, h = 0, w = 0, c = 0] = x;
  const [kh = 0, kw = 0, , o = 0] = f;
  return [n, h, w, c, kh, kw, o, stride, pad];
};

const kernels: Record<string, Kernel> = {
  ...batchNormKernels,
  OcConv(inputs, attrs: ConvAttrs, b) {
    const [x, filter] = [need(inputs, 'x'), need(inputs, 'filter')];
    const y = b.make(convShape(x.shape, filter.shape, attrs));
    const bias = inputs.bias ? b.floats(inputs.bias) : null;
    const shape = convArgs(x.shape, filter.shape, attrs);
    b.native.conv(...shape, attrs.relu, b.values(x), ...b.filter(filter), bias, y.values);
    return y.info;
  },
  OcConvInputGrad(inputs, attrs: ConvInputAttrs, b) {
    const [dy, filter] = [need(inputs, 'dy'), need(inputs, 'filter')];
    const dx = b.make(attrs.xShape);
    const shape = convArgs(attrs.xShape, filter.shape, attrs);
    b.native.convInputGrad(...shape, b.values(dy), ...b.filter(filter), dx.values);
    return dx.info;
  },
  OcConvFilterGrad(inputs, attrs: ConvFilterAttrs, b) {
    const [dy, x] = [need(inputs, 'dy'), need(inputs, 'x')];
    const df = b.makeFloats(attrs.filterShape);
    const shape = convArgs(x.shape, attrs.filterShape, attrs);
    b.native.convFilterGrad(...shape, b.values(x), b.values(dy), df.values);
    return df.info;
  },
  OcBiasGrad(inputs, _attrs, b) {
    const dy = need(inputs, 'dy');
    const channels = dy.shape.at(-1) ?? 1;
    const db = b.makeFloats([channels]);
    b.native.biasGrad(sizeOf(dy) / channels, channels, b.values(dy), db.values);
    return db.info;
  },
  OcMaxPool(inputs, attrs: PoolAttrs, b) {
    const x = need(inputs, 'x');
    const y = b.make(poolShape(x.shape, attrs));
    const places = b.makePlaces(y.info);
    b.native.maxPool(...poolArgs(x.shape, attrs), b.values(x), y.values, places);
    return y.info;
  },
  OcMaxPoolGrad(inputs, attrs: PoolAttrs, b) {
    const [dy, x, y] = [need(inputs, 'dy'), need(inputs, 'x'), need(inputs, 'y')];
    const dx = b.make(x.shape);
    b.native.maxPoolGrad(...poolArgs(x.shape, attrs), b.values(dy), b.places(y), dx.values);
    return dx.info;
  },
  OcGlobalPool(inputs, { max }: GlobalPoolAttrs, b) {
    const x = need(inputs, 'x');
    const [n = 0, h = 0, w = 0, c = 0] = x.shape;
    const [y, places] = [b.makeFloats([n, max ? 2 * c : c]), b.makeFloats([n, max ? c : 0])];
    b.native.globalPool(n, h * w, c, max, b.values(x), y.values, places.values);
    return [y.info, places.info];
  },
  OcGlobalPoolGrad(inputs, attrs: GlobalPoolAttrs & { xShape: number[] }, b) {
    const [dy, places] = [need(inputs, 'dy'), need(inputs, 'places')];
    const [n = 0, h = 0, w = 0, c = 0] = attrs.xShape;
    const dx = b.make(attrs.xShape);
    b.native.globalPoolGrad(n, h * w, c, attrs.max, b.floats(dy), b.floats(places), dx.values);
    return dx.info;
  },
  OcLinear(inputs, _attrs, b) {
    const [x, weight] = [need(inputs, 'x'), need(inputs, 'weight')];
    const [n = 0, inC = 0] = x.shape;
    const outC = weight.shape[0] ?? 0;
    const y = b.makeFloats([n, outC]);
    const bias = inputs.bias ? b.floats(inputs.bias) : null;
    b.native.linear(n, inC, outC, b.floats(x), b.floats(weight), bias, y.values);
    return y.info;
  },
  OcLinearInputGrad(inputs, _attrs, b) {
    const [dy, weight] = [need(inputs, 'dy'), need(inputs, 'weight')];
    const [outC = 0, inC = 0] = weight.shape;
    const n = dy.shape[0] ?? 0;
    const dx = b.makeFloats([n, inC]);
    b.native.linearInputGrad(n, inC, outC, b.floats(dy), b.floats(weight), dx.values);
    return dx.info;
  },
  OcLinearWeightGrad(inputs, _attrs, b) {
    const [dy, x] = [need(inputs, 'dy'), need(inputs, 'x')];
    const [n = 0, inC = 0] = x.shape;
    const outC = dy.shape[1] ?? 0;
    const dw = b.makeFloats([outC, inC]);
    b.native.linearWeightGrad(n, inC, outC, b.floats(dy), b.floats(x), dw.values);
    return dw.info;
  },
  OcCrossEntropy(inputs, _attrs, b) {
    const [logits, targets] = [need(inputs, 'logits'), need(inputs, 'targets')];
    const [n = 0, classes = 0] = logits.shape;
    const [loss, logP] = [b.makeFloats([]), b.makeFloats(logits.shape)];
    b.native.crossEntropy(
      n,
      classes,
      b.floats(logits),
      b.floats(targets),
      loss.values,
      logP.values,
    );
    return [loss.info, logP.info];
  },
  OcCrossEntropyGrad(inputs, _attrs, b) {
    const [targets, logP] = [need(inputs, 'targets'), need(inputs, 'logProbabilities')];
    const [n = 0, classes = 0] = targets.shape;
    const dx = b.makeFloats(targets.shape);
    const dy = b.floats(need(inputs, 'dy'))[0] ?? Number.NaN;
    b.native.crossEntropyGrad(n, classes, dy, b.floats(targets), b.floats(logP), dx.values);
    return dx.info;
  },
  OcRelu(inputs, _attrs, b) {
    const x = need(inputs, 'x');
    const y = b.make(x.shape);
    b.native.relu(sizeOf(x), b.values(x), y.values);
    return y.info;
  },
  OcReluGrad(inputs, _attrs, b) {
    const [dy, y] = [need(inputs, 'dy'), need(inputs, 'y')];
    const dx = b.make(dy.shape);
    b.native.reluGrad(sizeOf(dy), b.values(dy), b.values(y), dx.values);
    return dx.info;
  },
  OcDropout(inputs, { p, seed }: DropoutAttrs, b) {
    const x = need(inputs, 'x');
    const y = b.make(x.shape);
    b.native.dropout(sizeOf(x), p, seed, b.values(x), y.values);
    return y.info;
  },
  OcConcat(inputs, _attrs, b) {
    const [first, second] = [need(inputs, 'a'), need(inputs, 'b')];
    const [ac, bc] = [first.shape.at(-1) ?? 1, second.shape.at(-1) ?? 1];
    const y = b.make([...first.shape.slice(0, -1), ac + bc]);
    b.native.concat(sizeOf(first) / ac, ac, bc, b.values(first), b.values(second), y.values);
    return y.info;
  },
  OcChannelSlice(inputs, attrs: { from: number; channels: number }, b) {
    const x = need(inputs, 'x');
    const { from, channels } = attrs;
    const width = x.shape.at(-1) ?? 1;
    const y = b.make([...x.shape.slice(0, -1), channels]);
    b.native.channelSlice(sizeOf(x) / width, width, from, channels, b.values(x), y.values);
    return y.info;
  },
};

/** Registers the native kernels over a copy of the CPU backend's, and TF.js's Add where shapes are equal. */
export function registerOnednnKernels(backendName: string): void {
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    // the copy has the referee's where that was started first
    if (tf.getKernel(kernelName, backendName)) tf.unregisterKernel(kernelName, backendName);
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs, backend, attrs }) => {
        try {
          return kernel(inputs as Infos, (attrs ?? {}) as never, backend as OnednnBackend);
        } catch (cause) {
          const shapes = Object.entries(inputs as Infos).map(
            ([name, t]) => `${name} [${t?.shape}]`,
          );
          const { message } = cause as Error;
          throw new Error(`${kernelName} of ${shapes.join(', ')}: ${message}`, { cause });
        }
      },
    });
  }
  // the tape adds gradients of a tensor that was used twice, as every residual is
  const general = tf.getKernel('Add', 'cpu');
  tf.unregisterKernel('Add', backendName);
  tf.registerKernel({
    kernelName: 'Add',
    backendName,
    kernelFunc: (call) => {
      const backend = call.backend as OnednnBackend;
      const { a, b } = call.inputs as Infos;
      const plain =
        a?.dtype === 'float32' && b?.dtype === 'float32' && tf.util.arraysEqual(a.shape, b.shape);
      if (!a || !b || !plain) return general.kernelFunc(call);
      const y = backend.make(a.shape);
      backend.native.add(sizeOf(a), backend.values(a), backend.values(b), y.values);
      return y.info;
    },
  });
}
