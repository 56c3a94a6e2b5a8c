// What an image is, by its first bytes or by its name.

/** Formats that are decoded; PNM is PBM, PGM and PPM together. */
export type ImageFormat = 'png' | 'jpeg' | 'gif' | 'webp' | 'tiff' | 'avif' | 'bmp' | 'pnm';
/** Formats that are known and not decoded. */
export type ForeignFormat =
  | 'HEIC'
  | 'JPEG XL'
  | 'JPEG 2000'
  | 'SVG'
  | 'PDF'
  | 'ICO'
  | 'PSD'
  | 'OpenEXR'
  | 'DICOM'
  | 'camera raw';

/** The format that is decoded and that these first bytes begin, whatever the file's name; null for any other. */
export function imageFormat(bytes: Uint8Array): ImageFormat | null {
  const text = latin1(bytes, 32);
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'gif';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'webp';
  // BigTIFF has 43 in place of 42
  if (/^(II[*+]\0|MM\0[*+])/.test(text)) return foreignFormat(bytes) ? null : 'tiff';
  if (text.slice(4, 8) === 'ftyp') return isHeic(bytes) ? null : isAvif(text) ? 'avif' : null;
  if (text.startsWith('BM') && isBmp(bytes)) return 'bmp';
  return /^P[1-6][\s#]/.test(text) ? 'pnm' : null;
}

/** The format that these first bytes begin, of those that are not decoded; null for any other. */
export function foreignFormat(bytes: Uint8Array): ForeignFormat | null {
  const text = latin1(bytes, 512);
  if (text.slice(4, 8) === 'ftyp') {
    if (isHeic(bytes)) return 'HEIC';
    return text.slice(8, 11) === 'crx' ? 'camera raw' : null;
  }
  if (text.startsWith('\xff\x0a') || text.startsWith('\0\0\0\x0cJXL ')) return 'JPEG XL';
  if (text.startsWith('\0\0\0\x0cjP  ') || text.startsWith('\xff\x4f\xff\x51')) return 'JPEG 2000';
  if (text.startsWith('%PDF-')) return 'PDF';
  if (text.startsWith('\0\0\x01\0') || text.startsWith('\0\0\x02\0')) return 'ICO';
  if (text.startsWith('8BPS')) return 'PSD';
  if (text.startsWith('v/1\x01')) return 'OpenEXR';
  if (text.slice(128, 132) === 'DICM') return 'DICOM';
  if (/^(II\*\0.{4}CR|FUJIFILM|II(RO|RS|U\0))/s.test(text)) return 'camera raw';
  return /^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*(<!DOCTYPE svg[^>]*>\s*)?<svg[\s>]/s.test(
    text.replace(/^\xef\xbb\xbf/, ''),
  )
    ? 'SVG'
    : null;
}

/** Whether first bytes, 64 or more where there are as many, are an image's, decoded here or not. */
export function isPicture(head: Uint8Array): boolean {
  return imageFormat(head) !== null || foreignFormat(head) !== null;
}

const imageExtension =
  /\.(jpe?g|jpe|jfif|png|gif|webp|tiff?|bmp|avif|hei[cf]|jp2|j2k|jpx|jxl|svg|ico|p[bgnp]m|tga|psd|exr|dcm|dng|cr[23]|nef|arw|orf|rw2|raf)$/i;

/** Whether a path is named as an image, of whatever format; fastai takes what Python calls `image/*`. */
export function isImageName(path: string): boolean {
  return imageExtension.test(path);
}

/** HEVC inside of HEIF, by the brands of its `ftyp` box (ISO 23008-12, B.4); AVIF has brands of its own. */
function isHeic(bytes: Uint8Array): boolean {
  const text = latin1(bytes, 512);
  const end = Math.min(text.length, Buffer.from(bytes.subarray(0, 4)).readUInt32BE(0));
  const brands = text.slice(8, end).match(/.{4}/gs) ?? [];
  const [major] = brands;
  if (brands.some((brand) => brand === 'avif' || brand === 'avis')) return false;
  return brands.some((brand) => /^he[iv][cmsx]$/.test(brand)) || major === 'msf1';
}

function isAvif(text: string): boolean {
  return /^(avif|avis|mif1)/.test(text.slice(8));
}

/** By the size of the header that follows, for `BM` alone begins many a text. */
function isBmp(bytes: Uint8Array): boolean {
  const size = bytes.length >= 18 ? Buffer.from(bytes.subarray(14, 18)).readUInt32LE(0) : 0;
  return [12, 16, 40, 52, 56, 64, 108, 124].includes(size);
}

function latin1(bytes: Uint8Array, length: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(length, bytes.length)).toString(
    'latin1',
  );
}
