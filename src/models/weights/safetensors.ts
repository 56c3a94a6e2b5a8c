// The safetensors format (huggingface.co/docs/safetensors): u64 header length, JSON header, bytes.

import { problem } from '../../domain/problem.ts';

export type NamedTensor = { name: string; shape: number[]; values: Float32Array };

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

/**
 * Tensors and metadata of a file; float32 tensors only, others are left out.
 * @throws Problem `pretrained_unknown` when the bytes are no safetensors
 */
export function readSafetensors(bytes: Uint8Array): {
  tensors: Map<string, NamedTensor>;
  metadata: Record<string, string>;
} {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const broken = (what: string) =>
    problem('pretrained_unknown', `The weights file is not valid safetensors: ${what}`);
  if (file.length < 8) throw broken('shorter than its header length');
  const headerBytes = Number(file.readBigUInt64LE(0));
  if (headerBytes > file.length - 8) throw broken('its header is longer than the file');
  let header: Record<string, unknown>;
  try {
    header = JSON.parse(file.toString('utf8', 8, 8 + headerBytes));
  } catch {
    throw broken('its header is no JSON');
  }
  const begin = 8 + headerBytes;
  const tensors = new Map<string, NamedTensor>();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets } = value as {
      dtype: string;
      shape: number[];
      data_offsets: [number, number];
    };
    if (dtype !== 'F32') continue;
    const [from, to] = data_offsets;
    const count = shape.reduce((a, b) => a * b, 1);
    if (to - from !== count * 4 || begin + to > file.length) throw broken(`${name} is cut off`);
    const copy = new Uint8Array(count * 4);
    copy.set(file.subarray(begin + from, begin + to));
    tensors.set(name, { name, shape, values: new Float32Array(copy.buffer) });
  }
  return { tensors, metadata: (header.__metadata__ as Record<string, string> | undefined) ?? {} };
}
