import { decodeImage } from './decode.ts';
import { imageFormat } from './image-format.ts';
import { metadataOf, statsOf } from './metadata.ts';
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
  const faint = !pixels.some((level) => level >= faintLevels);
  if (format === 'pnm') {
    const brightest = pixels.reduce((max, level) => Math.max(max, level), 0);
    return faint && brightest > 0 ? `its samples go to ${brightest} of 255` : null;
  }
  if (format !== 'tiff' && !(format === 'png' && bytes[24] === 16)) return null;
  const depth = (await metadataOf(bytes))?.depth;
  if (depth === 'uchar' || depth === undefined || (depth === 'ushort' && !faint)) return null;
  const channels = (await statsOf(bytes))?.channels ?? [];
  const min = Math.min(...channels.map((channel) => channel.min));
  const max = Math.max(...channels.map((channel) => channel.max));
  if (channels.length === 0 || (min === 0 && max === 0)) return null;
  if (depth === 'ushort') return `its samples go from ${min} to ${max} of 65535`;
  if (min >= 0 && max <= 255 && !faint) return null;
  return `its samples (${depth}) go from ${short(min)} to ${short(max)}, and are taken as 0 to 255`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(4)));
}
