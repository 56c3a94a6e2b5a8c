import { closeSync, openSync, readSync } from 'node:fs';
import type { ExifOrientation } from '../domain/data-options.ts';
import { type ManifestItem, sizeOf } from '../domain/dataset.ts';
import { decodeImage } from './decode.ts';
import { decodeSmallPng } from './decode-png.ts';
import type { DecodedImage } from './decoded-image.ts';
import { turned } from './orientation.ts';

/** Of all loaders together: some 400 photos of 500x375 stay decoded, and MNIST whole. */
const cachedBytesMax = 256 * 2 ** 20;
let cachedBytes = 0;

/** Decodes items of images.bin; those that come first and are small enough together are kept. */
export class LoaderImages {
  private readonly items: readonly ManifestItem[];
  private readonly exif: ExifOrientation;
  private readonly fd: number;
  private readonly cached = new Map<number, DecodedImage>();
  private closed = false;

  constructor(
    imagesPath: string,
    items: readonly ManifestItem[],
    exif: ExifOrientation = 'ignore',
  ) {
    this.items = items;
    this.exif = exif;
    this.fd = openSync(imagesPath, 'r');
  }

  /** Bytes that getting an image adds to what is held. */
  bytesOf(index: number): number {
    const item = this.items[index];
    return item && !this.cached.has(index) ? item.width * item.height * 3 : 0;
  }

  /**
   * An image that is at hand, or the promise of one. The file is read and the decoder's task is queued before
   * this returns: a training step may follow at once, and then nothing of ours runs until it is over.
   */
  get(index: number): DecodedImage | Promise<DecodedImage> {
    const found = this.cached.get(index);
    if (found) return found;
    try {
      const bytes = this.read(index);
      const orientation = this.exif === 'apply' ? (this.items[index]?.orientation ?? 1) : 1;
      const small = orientation === 1 ? decodeSmallPng(bytes) : null;
      if (small) return this.kept(index, small);
      const decoding = decodeImage(bytes);
      const upright =
        orientation === 1 ? decoding : decoding.then((image) => turned(image, orientation));
      return upright.then((image) => this.kept(index, image));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  close(): void {
    if (!this.closed) closeSync(this.fd);
    this.closed = true;
    for (const { pixels } of this.cached.values()) cachedBytes -= pixels.length;
    this.cached.clear();
  }

  private read(index: number): Buffer {
    const item = this.items[index];
    if (!item || this.closed) throw new Error(`no item ${index}, or the loader is closed`);
    const bytes = Buffer.allocUnsafe(item.length);
    const read = readSync(this.fd, bytes, 0, item.length, item.offset);
    if (read !== item.length) throw new Error(`images.bin ends within ${item.file}`);
    return bytes;
  }

  private kept(index: number, image: DecodedImage): DecodedImage {
    const item = this.items[index];
    const [width, height] = item ? sizeOf(item, this.exif) : [0, 0];
    if (image.h !== height || image.w !== width) {
      throw new Error(`${item?.file} is ${image.w}x${image.h}, the manifest says otherwise`);
    }
    const bytes = image.pixels.length;
    const room = cachedBytes + bytes <= cachedBytesMax;
    if (room && !this.closed && !this.cached.has(index)) {
      cachedBytes += bytes;
      this.cached.set(index, image);
    }
    return image;
  }
}
