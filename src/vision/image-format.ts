/** The image format that the first bytes of a file say it is, whatever its name; null for any other. */
export function imageFormat(bytes: Uint8Array): ImageFormat | null {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(16, bytes.length));
  const text = head.toString('latin1');
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'png';
  if (text.startsWith('\xff\xd8\xff')) return 'jpeg';
  if (text.startsWith('GIF87a') || text.startsWith('GIF89a')) return 'gif';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'webp';
  if (text.startsWith('II*\0') || text.startsWith('MM\0*')) return 'tiff';
  if (text.slice(4, 8) === 'ftyp' && /^(avif|avis|mif1)/.test(text.slice(8))) return 'avif';
  return null;
}

export type ImageFormat = 'png' | 'jpeg' | 'gif' | 'webp' | 'tiff' | 'avif';

const imageExtension =
  /\.(jpe?g|jpe|jfif|png|gif|webp|tiff?|bmp|avif|hei[cf]|jp2|svg|ico|p[bgnp]m|tga)$/i;

/** Whether a path is named as an image, of whatever format; fastai takes what Python calls `image/*`. */
export function isImageName(path: string): boolean {
  return imageExtension.test(path);
}
