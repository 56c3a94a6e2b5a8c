import sharp from 'sharp';
import { decodeBmp } from './decode-bmp.ts';
import { decodeSmallPng } from './decode-png.ts';
import { decodePnm } from './decode-pnm.ts';
import type { DecodedImage } from './decoded-image.ts';
import { foreignFormat, imageFormat } from './image-format.ts';
import { inverse, orientationOf, turned } from './orientation.ts';
import { Undecodable } from './undecodable.ts';

const pixelsMax = 50e6;
const secondsMax = 30;
const understood = 'expected JPEG, PNG, WebP, GIF, TIFF, AVIF, BMP, PPM, PGM or PBM';

// images pass through once: libvips's cache would only hold memory
sharp.cache(false);

/**
 * Decodes as fastai's open_image: RGB, grey replicated, alpha and colour profile dropped, EXIF
 * orientation not applied, the first frame of many.
 * @throws Undecodable
 */
export async function decodeImage(bytes: Buffer): Promise<DecodedImage> {
  if (bytes.length === 0) throw new Undecodable('the file is empty');
  const small = decodeSmallPng(bytes);
  if (small) return small;
  const format = imageFormat(bytes);
  if (format === null) throw new Undecodable(whyForeign(bytes));
  if (format === 'bmp') return decodeBmp(bytes, { pixelsMax });
  if (format === 'pnm') return decodePnm(bytes, { pixelsMax });
  const image = await decodeBySharp(bytes);
  // libheif turns an AVIF itself
  return format === 'avif' ? turned(image, inverse(await orientationOf(bytes))) : image;
}

async function decodeBySharp(bytes: Buffer): Promise<DecodedImage> {
  try {
    const { data, info } = await sharp(bytes, {
      limitInputPixels: pixelsMax,
      sequentialRead: true,
      ignoreIcc: true,
      // what is cut off is refused; a warning, of bad EXIF for example, is none of the pixels'
      failOn: 'error',
    })
      .timeout({ seconds: secondsMax })
      .removeAlpha()
      .toColourspace('srgb')
      .raw()
      .toBuffer({ resolveWithObject: true });
    return { pixels: asRgb(data, info.channels), h: info.height, w: info.width };
  } catch (error) {
    throw new Undecodable(reasonOf(error), { cause: error });
  }
}

function whyForeign(bytes: Buffer): string {
  const format = foreignFormat(bytes);
  if (format !== null) {
    return `${format} is not read here: convert it to JPEG or PNG, for example by \`magick mogrify -format jpg\``;
  }
  const text = bytes.toString('latin1', 0, 512);
  if (text.startsWith('version https://git-lfs')) {
    return 'a pointer of Git LFS in place of the image: fetch the images by `git lfs pull`';
  }
  if (/<!doctype html|<html[\s>]/i.test(text)) return `not an image but a web page: ${understood}`;
  return `not an image: ${understood}`;
}

function asRgb(data: Buffer, channels: number): Uint8Array {
  if (channels === 3) return data;
  const rgb = new Uint8Array((data.length / channels) * 3);
  for (let i = 0; i * channels < data.length; i++) {
    rgb.fill(data[i * channels] ?? 0, 3 * i, 3 * i + 3);
  }
  return rgb;
}

function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (message.includes('pixel limit')) return `over ${pixelsMax / 1e6} megapixels`;
  const [line = ''] = message.split('\n').filter((part) => part.trim() !== '');
  return `cannot be decoded: ${line.trim().slice(0, 200)}`;
}
