// TF.js's CPU backend with recycled memory: results of native kernels live in aligned buffers that go back
// to a free list when their tensor is disposed, so that a steady training loop allocates nothing.

import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import type { StoredTensor } from '../storage.ts';
import type { Native } from './native.ts';

type Pooled = StoredTensor & { buffer?: ArrayBuffer };
type CpuData = { get(id: object): Pooled; has(id: object): boolean };

/** Smaller results are not worth a place in the free list. */
const pooledBytesMin = 4096;

export class OnednnBackend extends MathBackendCPU {
  readonly native: Native;
  private readonly free = new Map<number, ArrayBuffer[]>();

  constructor(native: Native) {
    super();
    this.native = native;
    // the base class greets its first write with an advertisement
    Object.assign(this, { firstUse: false });
  }

  /** The float32 values of a tensor, as they lie. */
  floats(info: tf.TensorInfo): Float32Array {
    return this.entries.get(info.dataId).values as Float32Array;
  }

  /** A tensor of `shape` with whatever values the memory had: for a kernel that fills it whole. */
  make(shape: number[]): { info: tf.TensorInfo; values: Float32Array } {
    const size = tf.util.sizeFromShape(shape);
    const bytes = size * 4;
    if (bytes < pooledBytesMin) {
      const values = new Float32Array(size);
      return { info: this.makeTensorInfo(shape, 'float32', values), values };
    }
    const buffer = this.free.get(bytes)?.pop() ?? this.native.allocate(bytes);
    const values = new Float32Array(buffer, 0, size);
    const info = this.makeTensorInfo(shape, 'float32', values);
    this.entries.get(info.dataId).buffer = buffer;
    return { info, values };
  }

  /** A copy: the memory behind it may be another tensor's a moment later. */
  override readSync(dataId: object): tf.backend_util.BackendValues {
    const values = super.readSync(dataId);
    return this.entries.get(dataId).buffer ? (values as Float32Array).slice() : values;
  }

  override disposeData(dataId: object, force = false): boolean {
    const entry = this.entries.has(dataId) ? this.entries.get(dataId) : null;
    const gone = super.disposeData(dataId, force);
    if (gone && entry?.buffer) {
      const list = this.free.get(entry.buffer.byteLength) ?? [];
      list.push(entry.buffer);
      this.free.set(entry.buffer.byteLength, list);
    }
    return gone;
  }

  private get entries(): CpuData {
    return this.data as unknown as CpuData;
  }
}
