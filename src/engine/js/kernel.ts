// The referee's side of an op: a plain function over arrays, registered for TF.js's own CPU backend.

import * as tf from '@tensorflow/tfjs-core';
import type { FloatArray, StoredTensor } from '../storage.ts';

export type JsTensor = { shape: number[]; values: FloatArray };
type Inputs = Record<string, JsTensor | undefined>;

/** A kernel by the names of its inputs; several outputs come back as an array. */
export type JsKernel = (inputs: Inputs, attrs: never) => JsTensor | JsTensor[];

let double = false;

/** Results in float64 from now on, behind dtype float32: for parity with double-precision figures. */
export function computeInDouble(on: boolean): void {
  double = on;
}

/** Zeros of the referee's precision. */
export function zeros(shape: number[]): JsTensor {
  const size = tf.util.sizeFromShape(shape);
  return { shape, values: double ? new Float64Array(size) : new Float32Array(size) };
}

/** The input of that name. @throws Error when the op was called without it */
export function need(inputs: Inputs, name: string): JsTensor {
  const tensor = inputs[name];
  if (!tensor) throw new Error(`kernel input ${name} is missing`);
  return tensor;
}

type CpuBackend = {
  data: { get(dataId: object): StoredTensor };
  makeTensorInfo(shape: number[], dtype: 'float32', values: FloatArray): tf.TensorInfo;
};

/** TF.js's Add, by which the tape sums gradients, in double where that is asked for. */
export function registerAddInDouble(): void {
  const general = tf.getKernel('Add', 'cpu');
  tf.unregisterKernel('Add', 'cpu');
  tf.registerKernel({
    kernelName: 'Add',
    backendName: 'cpu',
    kernelFunc: (call) => {
      const { a, b } = call.inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
      if (!double || !tf.util.arraysEqual(a.shape, b.shape)) return general.kernelFunc(call);
      const cpu = call.backend as unknown as CpuBackend;
      const other = cpu.data.get(b.dataId).values;
      const sum = Float64Array.from(cpu.data.get(a.dataId).values, (v, i) => v + (other[i] ?? 0));
      return cpu.makeTensorInfo(a.shape, 'float32', sum);
    },
  });
}

/** Registers kernels for the backend `cpu`. */
export function registerJsKernels(kernels: Record<string, JsKernel>): void {
  for (const [kernelName, kernel] of Object.entries(kernels)) {
    tf.registerKernel({
      kernelName,
      backendName: 'cpu',
      kernelFunc: ({ inputs, backend, attrs }) => {
        const cpu = backend as unknown as CpuBackend;
        const arrays: Inputs = {};
        for (const [name, info] of Object.entries(inputs)) {
          if (!info) continue;
          const tensor = info as tf.TensorInfo;
          arrays[name] = { shape: tensor.shape, values: cpu.data.get(tensor.dataId).values };
        }
        const result = kernel(arrays, (attrs ?? {}) as never);
        const info = (t: JsTensor) => cpu.makeTensorInfo(t.shape, 'float32', t.values);
        return Array.isArray(result) ? result.map(info) : info(result);
      },
    });
  }
}
