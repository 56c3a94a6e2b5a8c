import { closeSync, openSync, readSync } from 'node:fs';
import type { ManifestItem } from '../domain/dataset.ts';
import { type DecodedImage, decodeImage } from './decode.ts';

const cachedBytesMax = 128 * 2 ** 20;

/** Decodes items of images.bin; those that come first and are small enough together are kept. */
export class LoaderImages {
  private readonly items: readonly ManifestItem[];
  private readonly fd: number;
  private readonly cached = new Map<number, DecodedImage>();
  private cachedBytes = 0;
  private closed = false;

  constructor(imagesPath: string, items: readonly ManifestItem[]) {
    this.items = items;
    this.fd = openSync(imagesPath, 'r');
  }

  async get(index: number): Promise<DecodedImage> {
    const found = this.cached.get(index);
    if (found) return found;
    const item = this.items[index];
    if (!item || this.closed) throw new Error(`no item ${index}, or the loader is closed`);
    const bytes = Buffer.allocUnsafe(item.length);
    const read = readSync(this.fd, bytes, 0, item.length, item.offset);
    if (read !== item.length) throw new Error(`images.bin ends within ${item.file}`);
    const image = await decodeImage(bytes);
    if (image.h !== item.height || image.w !== item.width) {
      throw new Error(`${item.file} is ${image.w}x${image.h}, the manifest says otherwise`);
    }
    this.keep(index, image);
    return image;
  }

  close(): void {
    if (!this.closed) closeSync(this.fd);
    this.closed = true;
    this.cached.clear();
  }

  private keep(index: number, image: DecodedImage): void {
    const bytes = image.pixels.length;
    if (this.closed || this.cached.has(index)) return;
    if (this.cachedBytes + bytes > cachedBytesMax) return;
    this.cachedBytes += bytes;
    this.cached.set(index, image);
  }
}
