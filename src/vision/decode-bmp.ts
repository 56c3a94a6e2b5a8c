// Windows bitmaps, which libvips as sharp ships it does not read: 1 to 32 bits a pixel, palettes, bit fields, run
// lengths, OS/2's old header. Numbers as Pillow's BmpImagePlugin gives them; alpha is dropped.

import type { DecodedImage } from './decoded-image.ts';
import { Undecodable } from './undecodable.ts';

type Header = {
  w: number;
  h: number;
  topDown: boolean;
  bits: number;
  compression: number;
  /** Where the pixels begin. */
  offset: number;
  /** [r, g, b] each. */
  palette: Uint8Array;
  /** Of red, green and blue. */
  masks: [number, number, number];
};

const uncompressed = 0;
const rle8 = 1;
const rle4 = 2;
const bitFields = 3;
const alphaBitFields = 6;

/** @throws Undecodable */
export function decodeBmp(bytes: Buffer, { pixelsMax }: { pixelsMax: number }): DecodedImage {
  const header = headerOf(bytes);
  const { w, h, bits, compression } = header;
  if (w * h > pixelsMax) throw new Undecodable(`over ${pixelsMax / 1e6} megapixels`);
  const pixels = new Uint8Array(w * h * 3);
  if (compression === rle8 || compression === rle4) {
    const indices = runs(bytes.subarray(header.offset), { w, h, nibbles: compression === rle4 });
    paint(header, pixels, (x, y) => indices[y * w + x] ?? 0);
    return { pixels, h, w };
  }
  const stride = Math.ceil((w * bits) / 32) * 4;
  if (header.offset + stride * (h - 1) + Math.ceil((w * bits) / 8) > bytes.length) {
    throw new Undecodable('cannot be decoded: the BMP is cut off');
  }
  const at = (y: number) => header.offset + y * stride;
  if (bits <= 8) {
    const perByte = 8 / bits;
    const mask = 2 ** bits - 1;
    paint(header, pixels, (x, y) => {
      const byte = bytes[at(y) + Math.floor(x / perByte)] ?? 0;
      return (byte >> (8 - bits - (x % perByte) * bits)) & mask;
    });
  } else unpack(header, pixels, bytes, at);
  return { pixels, h, w };
}

function headerOf(bytes: Buffer): Header {
  const size = bytes.length >= 18 ? bytes.readUInt32LE(14) : 0;
  const isCore = size === 12;
  if (bytes.length < 14 + Math.min(40, size) || (!isCore && size < 16)) {
    throw new Undecodable('cannot be decoded: the header of the BMP is cut off');
  }
  const w = isCore ? bytes.readUInt16LE(18) : bytes.readInt32LE(18);
  const signedH = isCore ? bytes.readUInt16LE(20) : bytes.readInt32LE(22);
  const bits = bytes.readUInt16LE(isCore ? 24 : 28);
  const compression = isCore || size < 20 ? uncompressed : bytes.readUInt32LE(30);
  const offset = bytes.readUInt32LE(10);
  const h = Math.abs(signedH);
  const asked = size >= 36 ? bytes.readUInt32LE(46) : 0;
  if (w <= 0 || h === 0) throw new Undecodable(`cannot be decoded: the BMP is ${w}x${h}`);
  if (!isUnderstood(bits, compression)) {
    throw new Undecodable(
      `cannot be decoded: a BMP of ${bits} bits with compression ${compression} is not understood`,
    );
  }
  const fields = compression === bitFields || compression === alphaBitFields;
  // the masks are a part of later headers, and follow the header of 40 bytes
  const masks: Header['masks'] =
    fields && bytes.length >= 66
      ? [bytes.readUInt32LE(54), bytes.readUInt32LE(58), bytes.readUInt32LE(62)]
      : bits === 16
        ? [0x7c00, 0x3e0, 0x1f]
        : [0xff0000, 0xff00, 0xff];
  const paletteAt = 14 + size + (fields && size === 40 ? 12 : 0);
  const count = bits > 8 ? 0 : Math.min(asked || 2 ** bits, 2 ** bits);
  const palette = new Uint8Array(2 ** Math.min(bits, 8) * 3);
  for (let i = 0; i < count; i++) {
    const entry = paletteAt + i * (isCore ? 3 : 4);
    if (entry + 3 > offset) break;
    palette.set([bytes[entry + 2] ?? 0, bytes[entry + 1] ?? 0, bytes[entry] ?? 0], 3 * i);
  }
  return { w, h, topDown: signedH < 0, bits, compression, offset, palette, masks };
}

function isUnderstood(bits: number, compression: number): boolean {
  if (compression === rle8) return bits === 8;
  if (compression === rle4) return bits === 4;
  if (compression === bitFields || compression === alphaBitFields)
    return bits === 16 || bits === 32;
  return compression === uncompressed && [1, 4, 8, 16, 24, 32].includes(bits);
}

/** Rows are stored from the bottom up, but where the height is negative. */
function rowOf({ h, topDown }: Header, stored: number): number {
  return topDown ? stored : h - 1 - stored;
}

function paint(
  header: Header,
  pixels: Uint8Array,
  indexAt: (x: number, stored: number) => number,
): void {
  const { w, h, palette } = header;
  for (let stored = 0; stored < h; stored++) {
    let to = rowOf(header, stored) * w * 3;
    for (let x = 0; x < w; x++) {
      const from = 3 * indexAt(x, stored);
      pixels[to++] = palette[from] ?? 0;
      pixels[to++] = palette[from + 1] ?? 0;
      pixels[to++] = palette[from + 2] ?? 0;
    }
  }
}

/** 16 to 32 bits a pixel. */
function unpack(
  header: Header,
  pixels: Uint8Array,
  bytes: Buffer,
  at: (stored: number) => number,
): void {
  const { w, h, bits } = header;
  const channels = header.masks.map((mask) => {
    const shift = mask === 0 ? 0 : 31 - Math.clz32(mask & -mask);
    return { shift, max: mask === 0 ? 0 : mask >>> shift };
  });
  for (let stored = 0; stored < h; stored++) {
    let to = rowOf(header, stored) * w * 3;
    let from = at(stored);
    for (let x = 0; x < w; x++, from += bits / 8) {
      if (bits === 24) {
        pixels[to++] = bytes[from + 2] ?? 0;
        pixels[to++] = bytes[from + 1] ?? 0;
        pixels[to++] = bytes[from] ?? 0;
        continue;
      }
      const value = bits === 16 ? bytes.readUInt16LE(from) : bytes.readUInt32LE(from);
      for (const { shift, max } of channels) {
        pixels[to++] = max === 0 ? 0 : Math.floor((((value >>> shift) & max) >>> 0) * (255 / max));
      }
    }
  }
}

/** Palette indices by stored rows; what the runs leave out stays 0. */
function runs(
  packed: Buffer,
  { w, h, nibbles }: { w: number; h: number; nibbles: boolean },
): Uint8Array {
  const indices = new Uint8Array(w * h);
  let x = 0;
  let y = 0;
  const put = (index: number) => {
    if (x < w && y < h) indices[y * w + x] = index;
    x++;
  };
  const half = (byte: number, i: number) => (!nibbles ? byte : i % 2 === 0 ? byte >> 4 : byte & 15);
  for (let at = 0; y < h; ) {
    const [count, value] = [packed[at], packed[at + 1]];
    if (count === undefined || value === undefined) {
      throw new Undecodable('cannot be decoded: the BMP is cut off');
    }
    at += 2;
    if (count > 0) for (let i = 0; i < count; i++) put(half(value, i));
    else if (value === 0) {
      x = 0;
      y++;
    } else if (value === 1) break;
    else if (value === 2) {
      x += packed[at] ?? 0;
      y += packed[at + 1] ?? 0;
      at += 2;
    } else {
      const length = nibbles ? Math.ceil(value / 2) : value;
      if (at + length > packed.length)
        throw new Undecodable('cannot be decoded: the BMP is cut off');
      for (let i = 0; i < value; i++) put(half(packed[at + (nibbles ? i >> 1 : i)] ?? 0, i));
      // runs of single indices are filled up to whole words
      at += length + (length % 2);
    }
  }
  return indices;
}
