// sharp costs half a millisecond a call, which is all that a 28-pixel PNG costs: 12,000 of them take
// seconds in it and a fraction of one here. Whatever is not plain goes to sharp.

import { crc32, inflateSync } from 'node:zlib';
import type { DecodedImage } from './decoded-image.ts';

const pixelsMax = 128 * 128;
const ignorable = new Set(['tEXt', 'zTXt', 'iTXt', 'pHYs', 'tIME', 'gAMA', 'cHRM', 'sRGB', 'iCCP']);

/** The pixels of a small 8-bit grey or RGB PNG, null for any other and for a damaged one. */
export function decodeSmallPng(bytes: Buffer): DecodedImage | null {
  if (bytes.length < 57 || bytes.readUInt32BE(0) !== 0x89504e47) return null;
  const w = bytes.readUInt32BE(16);
  const h = bytes.readUInt32BE(20);
  const colourType = bytes[25];
  const channels = colourType === 0 ? 1 : colourType === 2 ? 3 : 0;
  const plain = bytes[24] === 8 && bytes[26] === 0 && bytes[27] === 0 && bytes[28] === 0;
  if (!plain || channels === 0 || w === 0 || h === 0 || w * h > pixelsMax) return null;
  const stride = w * channels;
  const packed = imageData(bytes);
  if (packed === null) return null;
  const lines = inflated(packed, h * (stride + 1));
  if (lines === null) return null;
  const rows = unfiltered(lines, { h, stride, channels });
  if (rows === null) return null;
  return { pixels: channels === 3 ? rows : replicated(rows), h, w };
}

/** The IDAT chunks together, when every chunk is whole and none changes what the pixels mean. */
function imageData(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) return null;
    if (crc32(bytes.subarray(at + 4, end)) !== bytes.readUInt32BE(end)) return null;
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'IEND') return Buffer.concat(parts);
    if (type === 'IDAT') parts.push(bytes.subarray(at + 8, end));
    else if (!(type === 'IHDR' && at === 8) && !ignorable.has(type)) return null;
    at = end + 4;
  }
  return null;
}

function inflated(packed: Buffer, length: number): Buffer | null {
  try {
    // one chunk that is not filled to the brim: zlib's own 16 KB would cost more than the inflating
    const lines = inflateSync(packed, { maxOutputLength: length, chunkSize: length + 64 });
    return lines.length === length ? lines : null;
  } catch {
    return null;
  }
}

/** Undoes the filter of each line (PNG specification, section 9). */
function unfiltered(
  lines: Buffer,
  { h, stride, channels }: { h: number; stride: number; channels: number },
): Uint8Array | null {
  const out = new Uint8Array(h * stride);
  for (let row = 0; row < h; row++) {
    const from = row * (stride + 1) + 1;
    const to = row * stride;
    const filter = lines[from - 1] ?? 0;
    if (filter > 4) return null;
    for (let i = 0; i < stride; i++) {
      const left = i >= channels ? (out[to + i - channels] ?? 0) : 0;
      const above = row > 0 ? (out[to + i - stride] ?? 0) : 0;
      const corner = row > 0 && i >= channels ? (out[to + i - stride - channels] ?? 0) : 0;
      out[to + i] = (lines[from + i] ?? 0) + predicted(filter, left, above, corner);
    }
  }
  return out;
}

function predicted(filter: number, left: number, above: number, corner: number): number {
  if (filter === 0) return 0;
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  const toLeft = Math.abs(above - corner);
  const toAbove = Math.abs(left - corner);
  const toCorner = Math.abs(left + above - 2 * corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}

function replicated(grey: Uint8Array): Uint8Array {
  const rgb = new Uint8Array(grey.length * 3);
  for (let i = 0, at = 0; i < grey.length; i++) {
    const level = grey[i] ?? 0;
    rgb[at++] = level;
    rgb[at++] = level;
    rgb[at++] = level;
  }
  return rgb;
}
