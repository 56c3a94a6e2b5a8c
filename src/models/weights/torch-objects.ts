// What a pickle written by torch.save speaks of: storages, tensors that look into them, ordered dictionaries,
// and the numbers that numpy leaves in an optimiser's state.

import { decodeFloats } from './decode-floats.ts';
import { numpyGlobals } from './numpy-scalars.ts';
import type { PickleGlobal, PickleKnows } from './pickle.ts';
import {
  broken,
  countOf,
  type FloatType,
  floatBytes,
  type StoredTensor,
  shown,
} from './stored-tensor.ts';

type StorageType = { name: string; bytes: number; float: FloatType | null };

const storageTypes: StorageType[] = [
  { name: 'FloatStorage', bytes: 4, float: 'f32' },
  { name: 'HalfStorage', bytes: 2, float: 'f16' },
  { name: 'BFloat16Storage', bytes: 2, float: 'bf16' },
  { name: 'DoubleStorage', bytes: 8, float: 'f64' },
  { name: 'LongStorage', bytes: 8, float: null },
  { name: 'IntStorage', bytes: 4, float: null },
  { name: 'ShortStorage', bytes: 2, float: null },
  { name: 'CharStorage', bytes: 1, float: null },
  { name: 'ByteStorage', bytes: 1, float: null },
  { name: 'BoolStorage', bytes: 1, float: null },
];
const typeOfGlobal = new Map(storageTypes.map((type) => [`torch.${type.name}`, type]));

/** `numel` is what the pickle claims; `data` is put in when the container hands out the bytes. */
export class TorchStorage {
  readonly type: StorageType;
  readonly key: string;
  readonly numel: number;
  data: { bytes: Uint8Array; bigEndian: boolean } | null = null;

  constructor(type: StorageType, key: string, numel: number) {
    this.type = type;
    this.key = key;
    this.numel = numel;
  }
}

/** A view of a storage; `offset` and `stride` count elements. */
export class TorchTensor {
  readonly storage: TorchStorage;
  readonly offset: number;
  readonly shape: number[];
  readonly stride: number[];

  constructor(storage: TorchStorage, offset: number, shape: number[], stride: number[]) {
    this.storage = storage;
    this.offset = offset;
    this.shape = shape;
    this.stride = stride;
  }
}

/** The globals of torch.save's pickles, and the storages that their persistent ids name. */
export function torchKnows(): PickleKnows & { storages: Map<string, TorchStorage> } {
  const storages = new Map<string, TorchStorage>();
  const calls: Record<string, (args: readonly unknown[]) => unknown> = {
    'collections.OrderedDict': orderedDict,
    'torch._utils._rebuild_tensor_v2': rebuildTensor,
    'torch._utils._rebuild_tensor': rebuildTensor,
    'torch._utils._rebuild_parameter': ([tensor]) => {
      if (tensor instanceof TorchTensor) return tensor;
      throw broken('The pickle has a parameter without a tensor');
    },
  };
  const globals = new Map<string, PickleGlobal>([
    ...Object.entries({ ...calls, ...numpyGlobals }).map(
      ([global, call]) => [global, { global, call }] as const,
    ),
    ...[...typeOfGlobal.keys()].map((global) => [global, { global }] as const),
  ]);
  return { globals, storages, persistent: (id) => storageOf(id, storages) };
}

function orderedDict([pairs = []]: readonly unknown[]): Map<unknown, unknown> {
  const map = new Map<unknown, unknown>();
  if (!Array.isArray(pairs)) throw broken('The pickle makes an ordered dictionary of no list');
  for (const pair of pairs) {
    if (!Array.isArray(pair)) throw broken('The pickle makes an ordered dictionary of no pairs');
    map.set(pair[0], pair[1]);
  }
  return map;
}

/** ('storage', type, key, location, numel), and a sixth member, a view of another storage, in older files. */
function storageOf(id: unknown, storages: Map<string, TorchStorage>): TorchStorage {
  const [word, global, key, , numel, view = null] = Array.isArray(id) ? id : [];
  const name = (global as PickleGlobal | undefined)?.global ?? '';
  const type = typeOfGlobal.get(name);
  if (word !== 'storage' || !type || typeof key !== 'string' || !isCount(numel) || view !== null) {
    throw broken('The pickle has a persistent id that names no storage');
  }
  const found = storages.get(key);
  if (found && (found.type !== type || found.numel !== numel)) {
    throw broken(`The pickle tells of storage ${shown(key)} in two ways`);
  }
  const storage = found ?? new TorchStorage(type, key, numel);
  storages.set(key, storage);
  return storage;
}

function rebuildTensor([storage, offset, shape, stride]: readonly unknown[]): TorchTensor {
  if (
    !(storage instanceof TorchStorage) ||
    !isCount(offset) ||
    !isCounts(shape) ||
    !isCounts(stride) ||
    shape.length !== stride.length
  ) {
    throw broken('The pickle has a tensor without storage, shape or strides');
  }
  const count = countOf(shape);
  const last = shape.reduce(
    (sum, size, d) => sum + Math.max(0, size - 1) * (stride[d] ?? 0),
    offset,
  );
  if (count === null || count > storage.numel || (count > 0 && last >= storage.numel)) {
    throw broken(
      `The pickle has a tensor of shape [${shape}] that reaches outside of its storage of ${storage.numel} values`,
    );
  }
  if (overlaps(shape, stride)) {
    throw broken(`The pickle has a tensor of shape [${shape}] whose strides [${stride}] overlap`);
  }
  return new TorchTensor(storage, offset, [...shape], [...stride]);
}

/** Whether two places of a tensor may be one value; a transposed or sliced tensor is none of these. */
function overlaps(shape: readonly number[], stride: readonly number[]): boolean {
  const axes = shape
    .map((size, d) => ({ size, step: stride[d] ?? 0 }))
    .filter(({ size }) => size > 1)
    .sort((a, b) => a.step - b.step);
  let reach = 0;
  for (const { size, step } of axes) {
    if (step <= reach) return true;
    reach += (size - 1) * step;
  }
  return false;
}

/** A tensor under its name, whose values are there once its storage is. */
export function storedTensor(name: string, tensor: TorchTensor): StoredTensor {
  const { type } = tensor.storage;
  return {
    name,
    shape: tensor.shape,
    type: type.float ?? type.name,
    values: () => valuesOf(name, tensor),
  };
}

function valuesOf(name: string, { storage, offset, shape, stride }: TorchTensor): Float32Array {
  const { float, name: typeName } = storage.type;
  if (float === null) throw broken(`${shown(name)} is a ${typeName}, expected floats`);
  if (storage.data === null) throw new Error(`storage ${storage.key} was never filled`);
  const width = floatBytes[float];
  const count = countOf(shape) ?? 0;
  if (count === 0) return new Float32Array(0);
  const last = shape.reduce((sum, size, d) => sum + (size - 1) * (stride[d] ?? 0), offset);
  const bytes = storage.data.bytes.subarray(offset * width, (last + 1) * width);
  const within = decodeFloats(storage.data.bigEndian ? swapped(bytes, width) : bytes, float);
  return within.length === count && rowByRow(shape, stride)
    ? within
    : gathered(within, { shape, stride, count });
}

function rowByRow(shape: readonly number[], stride: readonly number[]): boolean {
  let step = 1;
  for (let d = shape.length - 1; d >= 0; d--) {
    if ((shape[d] ?? 1) > 1 && stride[d] !== step) return false;
    step *= shape[d] ?? 1;
  }
  return true;
}

function gathered(
  from: Float32Array,
  { shape, stride, count }: { shape: number[]; stride: number[]; count: number },
): Float32Array {
  const result = new Float32Array(count);
  const place = shape.map(() => 0);
  let at = 0;
  for (let i = 0; i < count; i++) {
    result[i] = from[at] as number;
    for (let d = shape.length - 1; d >= 0; d--) {
      const step = stride[d] ?? 0;
      place[d] = (place[d] ?? 0) + 1;
      at += step;
      if ((place[d] ?? 0) < (shape[d] ?? 0)) break;
      at -= step * (shape[d] ?? 0);
      place[d] = 0;
    }
  }
  return result;
}

function swapped(bytes: Uint8Array, width: number): Uint8Array {
  const copy = Buffer.from(bytes);
  return width === 2 ? copy.swap16() : width === 4 ? copy.swap32() : copy.swap64();
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 8 && value.every(isCount);
}
