// PBM, PGM and PPM, as text (P1 to P3) and as bytes (P4 to P6), with 1 to 16 bits a sample, brought to 8 as Pillow
// does: round(sample * 255 / maxval). http://netpbm.sourceforge.net/doc/

import type { DecodedImage } from './decoded-image.ts';
import { Undecodable } from './undecodable.ts';

/** The first image of the file. @throws Undecodable */
export function decodePnm(bytes: Buffer, { pixelsMax }: { pixelsMax: number }): DecodedImage {
  const kind = (bytes[1] ?? 0) - 0x30;
  const reader = new Reader(bytes);
  const w = reader.number();
  const h = reader.number();
  const isBitmap = kind === 1 || kind === 4;
  const max = isBitmap ? 1 : reader.number();
  if (w === 0 || h === 0 || max === 0 || max > 65535) {
    throw new Undecodable(`cannot be decoded: the header says ${w}x${h} with samples to ${max}`);
  }
  if (w * h > pixelsMax) throw new Undecodable(`over ${pixelsMax / 1e6} megapixels`);
  const channels = kind === 3 || kind === 6 ? 3 : 1;
  const sample =
    kind <= 3 ? reader.text(isBitmap) : reader.binary({ isBitmap, max, w, h, channels });
  // 1 is black in a bitmap
  const levels = new Uint8Array(max + 1);
  for (let i = 0; i <= max; i++) levels[i] = isBitmap ? 255 * (1 - i) : Math.round((i * 255) / max);
  const pixels = new Uint8Array(w * h * 3);
  for (let i = 0, to = 0; i < w * h * channels; i++) {
    const level = levels[Math.min(max, sample(i))] ?? 0;
    pixels[to++] = level;
    if (channels === 1) {
      pixels[to++] = level;
      pixels[to++] = level;
    }
  }
  return { pixels, h, w };
}

class Reader {
  private readonly bytes: Buffer;
  private at = 2;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** The next decimal number, behind blanks and comments. */
  number(): number {
    this.skip();
    let value = 0;
    const from = this.at;
    for (; this.at - from < 10; this.at++) {
      const digit = (this.bytes[this.at] ?? 0) - 0x30;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    if (this.at === from) throw cutOff();
    return value;
  }

  /** Samples as text, in their order; those of a bitmap may stand without blanks. */
  text(isBitmap: boolean): (index: number) => number {
    if (!isBitmap) return () => this.number();
    return () => {
      this.skip();
      const digit = (this.bytes[this.at++] ?? 0) - 0x30;
      if (digit !== 0 && digit !== 1) throw cutOff();
      return digit;
    };
  }

  /** Samples as bytes, as two, or as bits of rows that end with a whole byte. */
  binary({
    isBitmap,
    max,
    w,
    h,
    channels,
  }: {
    isBitmap: boolean;
    max: number;
    w: number;
    h: number;
    channels: number;
  }): (index: number) => number {
    // one blank ends the header
    const { bytes } = this;
    const from = this.at + 1;
    const stride = Math.ceil(w / 8);
    const length = isBitmap ? stride * h : w * h * channels * (max > 255 ? 2 : 1);
    if (from + length > bytes.length) throw cutOff();
    if (isBitmap) {
      return (i) => {
        const x = i % w;
        const byte = bytes[from + ((i - x) / w) * stride + (x >> 3)] ?? 0;
        return (byte >> (7 - (x & 7))) & 1;
      };
    }
    return max > 255 ? (i) => bytes.readUInt16BE(from + 2 * i) : (i) => bytes[from + i] ?? 0;
  }

  private skip(): void {
    for (;;) {
      const byte = this.bytes[this.at];
      if (byte === 0x23) {
        const end = this.bytes.indexOf(0x0a, this.at);
        this.at = end < 0 ? this.bytes.length : end + 1;
      } else if (byte === 0x20 || (byte !== undefined && byte >= 9 && byte <= 13)) this.at++;
      else return;
    }
  }
}

function cutOff(): Undecodable {
  return new Undecodable('cannot be decoded: the file is cut off, or holds other than numbers');
}
