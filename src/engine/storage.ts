// Tensors as the engine holds them: TF.js's dtype is always float32, the storage behind it is what the
// precision says: float32, bfloat16 (onednn) or double (the referee, for parity with double figures).

import * as tf from '@tensorflow/tfjs-core';
import { fromBf16 } from './bfloat16.ts';

export type FloatArray = Float32Array | Float64Array;
/** Values as an engine stores them; a Uint16Array holds bfloat16, the upper half of a float32. */
export type Stored = FloatArray | Uint16Array;

/** What a CPU-like backend keeps for a tensor; `values` may be a getter that converts. */
export type StoredTensor = {
  values: FloatArray;
  dtype: tf.DataType;
  refCount: number;
  /** How often the values were changed in place. */
  version?: number;
};

type CpuLikeBackend = { data: { get(dataId: object): StoredTensor } };

/** The stored record behind a tensor of the current backend. */
export function stored(tensor: tf.TensorInfo): StoredTensor {
  // both engines are subclasses of MathBackendCPU, whose `data` is public but not in KernelBackend's type
  return (tf.backend() as unknown as CpuLikeBackend).data.get(tensor.dataId);
}

/** A tensor over `values`, which it takes over; Float64Array stays double on the referee. */
export function tensorOf<R extends tf.Rank>(values: Stored, shape: number[]): tf.Tensor<R> {
  const kept =
    values instanceof Uint16Array && tf.getBackend() === 'cpu' ? fromBf16(values) : values;
  // BackendValues does not know these arrays; the CPU kernels take any of numbers, onednn knows bfloat16
  const dataId = tf.backend().write(kept as unknown as Float32Array, shape, 'float32');
  const info = { dataId, shape, dtype: 'float32' as const };
  return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor<R>;
}

/** A variable over `values`, which it takes over. */
export function variableOf<R extends tf.Rank>(
  values: FloatArray,
  shape: number[],
  options: { trainable: boolean },
): tf.Variable<R> {
  return tf.tidy(() => tf.variable(tensorOf<R>(values, shape), options.trainable));
}

/** A copy of the values. */
export function readValues(tensor: tf.Tensor): FloatArray {
  return stored(tensor).values.slice();
}

/** Overwrites a variable in place. @throws Error when the lengths differ */
export function writeValues(variable: tf.Variable, values: ArrayLike<number>): void {
  if (values.length !== variable.size) {
    throw new Error(
      `${variable.size} values expected for [${variable.shape}], got ${values.length}`,
    );
  }
  stored(variable).values.set(values);
  markChanged(variable);
}

/** To be called when the values behind a tensor were changed in place: what was derived from them is old. */
export function markChanged(tensor: tf.Tensor): void {
  const entry = stored(tensor);
  entry.version = (entry.version ?? 0) + 1;
}
