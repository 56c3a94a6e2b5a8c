// EXIF's orientation: how stored pixels would have to be turned to stand upright. fastai does not turn them; a job
// may say that they are (data.exif_orientation), and then those of every format are.

import sharp, { type Sharp } from 'sharp';
import type { DecodedImage } from './decoded-image.ts';
import { imageFormat } from './image-format.ts';
import { metadataOf } from './metadata.ts';

/** 1 to 8; 1 is upright, 5 to 8 swap width and height. */
export type Orientation = number;

/** The orientation that an image's file says, whatever its format; 1 where it says none. */
export async function orientationOf(bytes: Buffer): Promise<Orientation> {
  const format = imageFormat(bytes);
  if (format === 'avif') return avifOrientation(bytes);
  const mayHave =
    format === 'tiff' ||
    (format === 'jpeg' && bytes.subarray(0, 2 ** 18).includes('Exif\0')) ||
    (format === 'png' && bytes.includes('eXIf')) ||
    (format === 'webp' && bytes.includes('EXIF'));
  if (!mayHave) return 1;
  const orientation = (await metadataOf(bytes))?.orientation ?? 1;
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

/** The orientation that undoes another. */
export function inverse(orientation: Orientation): Orientation {
  return orientation === 6 ? 8 : orientation === 8 ? 6 : orientation;
}

/** The image as it stands when its orientation is applied. */
export async function turned(image: DecodedImage, orientation: Orientation): Promise<DecodedImage> {
  const first = steps[orientation];
  if (!first) return image;
  let { pixels, w, h } = image;
  for (const step of first) {
    const raw = { width: w, height: h, channels: 3 as const };
    const { data, info } = await step(sharp(pixels, { raw, limitInputPixels: false }))
      .raw()
      .toBuffer({ resolveWithObject: true });
    pixels = data;
    w = info.width;
    h = info.height;
  }
  return { pixels, w, h };
}

/** One at a time: sharp has an order of its own for operations that come together. */
const flop = (image: Sharp) => image.flop();
const quarter = (image: Sharp) => image.rotate(90);
const steps: Record<number, ((image: Sharp) => Sharp)[]> = {
  2: [flop],
  3: [(image) => image.rotate(180)],
  4: [(image) => image.flip()],
  5: [quarter, flop],
  6: [quarter],
  7: [flop, quarter],
  8: [(image) => image.rotate(270)],
};

/**
 * AVIF says it by the properties `irot` and `imir`, in place of EXIF (ISO 23008-12, 6.5.10 and 6.5.12), and a decoder
 * applies them: first the rotation, anticlockwise in quarters, then the mirror.
 */
function avifOrientation(bytes: Buffer): Orientation {
  const properties = bytes.indexOf('ipco');
  if (properties < 0) return 1;
  const end = properties - 4 + bytes.readUInt32BE(properties - 4);
  let quarters = 0;
  let mirror: number | null = null;
  for (let at = properties + 4; at + 9 <= Math.min(end, bytes.length); ) {
    const size = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    if (type === 'irot') quarters = (bytes[at + 8] ?? 0) & 3;
    if (type === 'imir') mirror = (bytes[at + 8] ?? 0) & 1;
    if (size < 8) break;
    at += size;
  }
  if (mirror === null) return [1, 8, 3, 6][quarters] ?? 1;
  // axis 0 swaps top and bottom, axis 1 left and right
  return (mirror === 0 ? [4, 5, 2, 7] : [2, 7, 4, 5])[quarters] ?? 1;
}
