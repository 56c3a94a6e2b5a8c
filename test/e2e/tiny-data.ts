import { gzipSync } from 'node:zlib';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { keyedRandom } from '../../src/training/random.ts';

/** A .tgz of dark and bright noise, 28 x 28: a folder per class under train/ and valid/. */
export async function tinyArchive({ train = 32, valid = 12 } = {}): Promise<Buffer> {
  const tar = pack();
  for (const [split, count] of [
    ['train', train],
    ['valid', valid],
  ] as const) {
    for (const [label, level] of [
      ['bright', 150],
      ['dark', 60],
    ] as const) {
      for (let i = 0; i < count; i++) {
        const random = keyedRandom(i, level, split.length);
        const pixels = Uint8Array.from({ length: 28 * 28 }, () => level + random.below(80));
        const raw = { width: 28, height: 28, channels: 1 as const };
        const png = await sharp(pixels, { raw }).png().toBuffer();
        tar.entry({ name: `tiny/${split}/${label}/${i}.png` }, png);
      }
    }
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

/** The seed program on it, quick: few steps of the range test, batches of 16. */
export function tinySpec(dataset: string, { epochs = 1 } = {}) {
  return {
    dataset,
    pretrained: null,
    data: { batch_size: 16 },
    phases: [
      { type: 'lr_find', num_it: 12 },
      { type: 'fit_one_cycle', epochs, max_lr: 3e-3, freeze: true },
      { type: 'fit_one_cycle', epochs, max_lr: { slice: [1e-5, 1e-3] }, freeze: false },
    ],
  };
}
