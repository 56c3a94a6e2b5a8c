import sharp from 'sharp';
import { decodeImage } from './decode.ts';
import { imageFormat } from './image-format.ts';
import { type Orientation, orientationOf } from './orientation.ts';

/** What a data set keeps of an image; `faint` says that next to nothing of it is left in 8 bits, and why. */
export type Examined = { w: number; h: number; orientation: Orientation; faint: string | null };

/** Levels of 256 below which all of an image is next to black: 12 bits in 16 give 15. */
const faintLevels = 16;

/**
 * Decodes an image to know that it can be, with its stored size.
 * @throws Undecodable
 */
export async function examineImage(bytes: Buffer): Promise<Examined> {
  const { pixels, w, h } = await decodeImage(bytes);
  const orientation = await orientationOf(bytes);
  return { w, h, orientation, faint: await faintness(bytes, pixels) };
}

async function faintness(bytes: Buffer, pixels: Uint8Array): Promise<string | null> {
  const format = imageFormat(bytes);
  const isPnm = format === 'pnm';
  const mayBeWider = format === 'tiff' || (format === 'png' && bytes[24] === 16) || isPnm;
  if (!mayBeWider) return null;
  const faint = !pixels.some((level) => level >= faintLevels);
  if (isPnm) return faint && /^P[2356]/.test(bytes.toString('latin1', 0, 2)) ? wide(pixels) : null;
  const { depth } = await sharp(bytes, { limitInputPixels: false }).metadata();
  if (depth === 'uchar' || depth === undefined) return null;
  if (depth === 'ushort') return faint ? wide(pixels) : null;
  const { channels } = await sharp(bytes, { limitInputPixels: false }).stats();
  const [min, max] = [
    Math.min(...channels.map((c) => c.min)),
    Math.max(...channels.map((c) => c.max)),
  ];
  if (min >= 0 && max <= 255 && !faint) return null;
  return `its numbers (${depth}) go from ${short(min)} to ${short(max)}, and are taken as 0 to 255`;
}

function wide(pixels: Uint8Array): string {
  const most = pixels.reduce((max, level) => Math.max(max, level), 0);
  return `its brightest pixel is ${most} of 255, once its samples are brought to 8 bits`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
