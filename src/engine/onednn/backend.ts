// TF.js's CPU backend with native memory: results of native kernels live in aligned buffers that go back to a
// free list when their tensor is disposed, so that a steady training loop allocates nothing. In bf16 an
// image-like tensor (rank 4) is stored in bfloat16 behind dtype float32; every other op of TF.js sees float32.

import { MathBackendCPU } from '@tensorflow/tfjs-backend-cpu';
import * as tf from '@tensorflow/tfjs-core';
import { fromBf16 } from '../bfloat16.ts';
import type { StoredTensor } from '../storage.ts';
import type { Native, Values } from './native.ts';

type Held = StoredTensor & {
  /** What `values` decodes, where the tensor is stored in bfloat16. */
  bits?: Uint16Array;
  /** Recycled when the tensor goes: its own memory, and what a kernel keeps with it for the gradient. */
  buffers?: ArrayBuffer[];
  places?: Uint8Array;
  peaks?: Values;
  /** Who this is in the native cache of reordered filters. */
  filterId?: number;
};
type CpuData = { get(id: object): Held; has(id: object): boolean };
type Borrowed<T> = { values: T; buffer: ArrayBuffer };
type Made<T> = { info: tf.TensorInfo; values: T };

export class OnednnBackend extends MathBackendCPU {
  readonly native: Native;
  /** What image-like tensors are stored as. */
  precision: 'f32' | 'bf16' = 'f32';
  private readonly free = new Map<number, ArrayBuffer[]>();
  private filters = 0;

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

  /** The values of a tensor as kernels read it; an image that came in another storage is converted once. */
  values(info: tf.TensorInfo): Values {
    const entry = this.entries.get(info.dataId);
    if (entry.bits) return entry.bits;
    if (this.precision === 'f32' || info.shape.length !== 4) return entry.values as Float32Array;
    const size = entry.values.length;
    const { values, buffer } = this.borrow(2 * size, (memory) => new Uint16Array(memory, 0, size));
    this.native.convert(size, entry.values as Float32Array, values);
    hold(entry, values);
    entry.buffers = [buffer];
    return values;
  }

  /** A filter for the native cache: its values, who it is, and which of its versions. */
  filter(info: tf.TensorInfo): [values: Float32Array, id: number, version: number] {
    const entry = this.entries.get(info.dataId);
    entry.filterId ??= ++this.filters;
    return [entry.values as Float32Array, entry.filterId, entry.version ?? 0];
  }

  /** A tensor of `shape` with whatever values the memory had: for a kernel that fills it whole. */
  make(shape: number[]): Made<Values> {
    if (this.precision === 'f32' || shape.length !== 4) return this.makeFloats(shape);
    const size = tf.util.sizeFromShape(shape);
    const { values, buffer } = this.borrow(2 * size, (memory) => new Uint16Array(memory, 0, size));
    const info = this.makeTensorInfo(shape, 'float32', values as unknown as Float32Array);
    this.entries.get(info.dataId).buffers = [buffer];
    return { info, values };
  }

  /** The same in float32, whatever the precision: filters, statistics, the head. */
  makeFloats(shape: number[]): Made<Float32Array> {
    const size = tf.util.sizeFromShape(shape);
    const { values, buffer } = this.borrow(4 * size, (memory) => new Float32Array(memory, 0, size));
    const info = this.makeTensorInfo(shape, 'float32', values);
    this.entries.get(info.dataId).buffers = [buffer];
    return { info, values };
  }

  /** Bytes that a kernel keeps with its result for the gradient, where each maximum was. */
  makePlaces(info: tf.TensorInfo): Uint8Array {
    const entry = this.entries.get(info.dataId);
    const size = tf.util.sizeFromShape(info.shape);
    const { values, buffer } = this.borrow(size, (memory) => new Uint8Array(memory, 0, size));
    entry.places = values;
    entry.buffers?.push(buffer);
    return values;
  }

  places(info: tf.TensorInfo): Uint8Array {
    const { places } = this.entries.get(info.dataId);
    if (!places) throw new Error('maxPool: this result was not made by the kernel');
    return places;
  }

  /**
   * What the image was at each maximum, kept like the places; as an output of its own the tape would make zeros
   * of its size for the gradient that it does not have.
   */
  makePeaks(info: tf.TensorInfo): Values {
    const entry = this.entries.get(info.dataId);
    const size = tf.util.sizeFromShape(info.shape);
    const { values, buffer }: Borrowed<Values> =
      this.precision === 'bf16'
        ? this.borrow(2 * size, (memory) => new Uint16Array(memory, 0, size))
        : this.borrow(4 * size, (memory) => new Float32Array(memory, 0, size));
    entry.peaks = values;
    entry.buffers?.push(buffer);
    return values;
  }

  peaks(info: tf.TensorInfo): Values {
    const { peaks } = this.entries.get(info.dataId);
    if (!peaks) throw new Error('batchNormMaxPool: this result was not made by the kernel');
    return peaks;
  }

  /** Values behind float32 that come as a Uint16Array are bfloat16. */
  override write(
    values: tf.backend_util.BackendValues,
    shape: number[],
    dtype: tf.DataType,
  ): object {
    // BackendValues does not know Uint16Array, tensorOf and `make` hand it in
    const bits = (values as unknown) instanceof Uint16Array ? (values as unknown) : null;
    if (!(bits instanceof Uint16Array)) return super.write(values, shape, dtype);
    const dataId = super.write(values, shape, dtype);
    hold(this.entries.get(dataId), bits);
    return dataId;
  }

  /** A copy: the memory behind it may be another tensor's a moment later. */
  override readSync(dataId: object): tf.backend_util.BackendValues {
    const values = super.readSync(dataId);
    return this.entries.get(dataId).buffers ? (values as Float32Array).slice() : values;
  }

  override disposeData(dataId: object, force = false): boolean {
    const entry = this.entries.has(dataId) ? this.entries.get(dataId) : null;
    const gone = super.disposeData(dataId, force);
    if (gone && entry) {
      if (entry.filterId !== undefined) this.native.forgetFilter(entry.filterId);
      for (const buffer of entry.buffers ?? []) this.recycle(buffer);
      entry.buffers = [];
    }
    return gone;
  }

  private borrow<T>(bytes: number, view: (memory: ArrayBuffer) => T): Borrowed<T> {
    const wanted = sizeClass(bytes);
    const buffer = this.free.get(wanted)?.pop() ?? this.native.allocate(wanted);
    return { values: view(buffer), buffer };
  }

  private recycle(buffer: ArrayBuffer): void {
    const list = this.free.get(buffer.byteLength);
    if (list) list.push(buffer);
    else this.free.set(buffer.byteLength, [buffer]);
  }

  private get entries(): CpuData {
    return this.data as unknown as CpuData;
  }
}

function hold(entry: Held, bits: Uint16Array): void {
  entry.bits = bits;
  Object.defineProperty(entry, 'values', { get: () => fromBf16(bits) });
}

/** The next of 64, 80, 96, 112, 128, 160, ...: a batch that is a little smaller takes the same memory. */
function sizeClass(bytes: number): number {
  const step = 2 ** Math.max(4, Math.floor(Math.log2(Math.max(64, bytes))) - 2);
  return Math.max(64, Math.ceil(bytes / step) * step);
}
