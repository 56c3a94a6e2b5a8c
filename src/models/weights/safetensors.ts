// The safetensors format (huggingface.co/docs/safetensors): u64 header length, JSON header, bytes.

import { z } from 'zod';
import { decodeFloats } from './decode-floats.ts';
import {
  broken,
  countOf,
  type FloatType,
  floatBytes,
  type StoredTensor,
  shown,
} from './stored-tensor.ts';

export type NamedTensor = { name: string; shape: number[]; values: Float32Array };

/** The format's own limit; a checkpoint keeps its history in there. */
const headerBytesMax = 100_000_000;
const floats: Record<string, FloatType> = { F32: 'f32', F16: 'f16', BF16: 'bf16', F64: 'f64' };
/** Bytes of a value of each other type that the format has. */
const otherBytes: Record<string, number> = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I16: 2,
  U16: 2,
  I32: 4,
  U32: 4,
  I64: 8,
  U64: 8,
};

const size = z.int().min(0);
const Entry = z.strictObject({
  dtype: z.string(),
  shape: z.array(size).max(8),
  data_offsets: z.tuple([size, size]),
});
const Metadata = z.record(z.string(), z.string());

/** The file as bytes; `metadata` values are strings, as the format wants them. */
export function writeSafetensors(
  tensors: readonly NamedTensor[],
  metadata: Record<string, string> = {},
): Uint8Array {
  const header: Record<string, unknown> = { __metadata__: metadata };
  let offset = 0;
  for (const { name, shape, values } of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + values.byteLength] };
    offset += values.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  // the data begins at a multiple of 8
  const padded = Math.ceil((8 + json.length) / 8) * 8 - 8;
  const file = Buffer.alloc(8 + padded + offset, ' ');
  file.writeBigUInt64LE(BigInt(padded), 0);
  json.copy(file, 8);
  let at = 8 + padded;
  for (const { values } of tensors) {
    file.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), at);
    at += values.byteLength;
  }
  return file;
}

type Opened = { tensors: Map<string, StoredTensor>; metadata: Record<string, string> };

/**
 * What the file holds, without its values: every byte of it belongs to one tensor.
 * @throws Problem `weights_invalid` when the bytes are no safetensors
 */
export function openSafetensors(bytes: Uint8Array): Opened {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const { json, begin } = headerOf(file);
  const tensors = new Map<string, StoredTensor>();
  const places: [number, number][] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(json)) {
    if (name === '__metadata__') {
      metadata = parsed(Metadata, value, name);
      continue;
    }
    const { dtype, shape, data_offsets } = parsed(Entry, value, name);
    const [from, to] = data_offsets;
    const float = floats[dtype];
    const width = float ? floatBytes[float] : otherBytes[dtype];
    const count = countOf(shape);
    if (width === undefined) throw invalid(`${shown(name)} is of the unknown type ${shown(dtype)}`);
    if (count === null || to - from !== count * width || to > file.length - begin) {
      throw invalid(
        `${shown(name)} of shape [${shape}] lies at bytes ${from} to ${to}, the file has ${file.length - begin}`,
      );
    }
    places.push([from, to]);
    tensors.set(name, {
      name,
      shape,
      type: float ?? dtype,
      values: () => {
        if (!float) throw broken(`${shown(name)} is ${dtype}, expected floats`);
        return decodeFloats(file.subarray(begin + from, begin + to), float);
      },
    });
  }
  let end = 0;
  for (const [from, to] of places.sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    if (from !== end) throw invalid(`its tensors overlap or leave a hole at byte ${end}`);
    end = to;
  }
  if (end !== file.length - begin) {
    throw invalid(`${file.length - begin - end} bytes behind its last tensor`);
  }
  return { tensors, metadata };
}

/**
 * Tensors and metadata of a file, all values decoded; what is no float is left out.
 * @throws Problem `weights_invalid` when the bytes are no safetensors
 */
export function readSafetensors(bytes: Uint8Array): {
  tensors: Map<string, NamedTensor>;
  metadata: Record<string, string>;
} {
  const { tensors, metadata } = openSafetensors(bytes);
  const decoded = [...tensors.values()]
    .filter(({ type }) => type in floatBytes)
    .map(({ name, shape, values }) => [name, { name, shape, values: values() }] as const);
  return { tensors: new Map(decoded), metadata };
}

function headerOf(file: Buffer): { json: Record<string, unknown>; begin: number } {
  if (file.length < 8) throw invalid('shorter than its header length');
  const headerBytes = Number(file.readBigUInt64LE(0));
  if (headerBytes > Math.min(headerBytesMax, file.length - 8)) {
    throw invalid(`its header would be ${headerBytes} bytes long, the file has ${file.length}`);
  }
  try {
    const json = JSON.parse(file.toString('utf8', 8, 8 + headerBytes));
    if (typeof json === 'object' && json !== null) return { json, begin: 8 + headerBytes };
  } catch (cause) {
    throw invalid('its header is no JSON', cause);
  }
  throw invalid('its header is no JSON object');
}

function parsed<T>(schema: z.ZodType<T>, value: unknown, name: string): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  throw invalid(`its header says nothing of use about ${shown(name)}`, result.error);
}

function invalid(what: string, cause?: unknown) {
  return broken(
    `The weights file is not valid safetensors: ${what}`,
    cause === undefined ? {} : { cause },
  );
}
