// Prepared data sets for benches, from the archives that tests use, or from what npm packages and sharp make.

import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { pack } from 'tar-stream';
import { prepareDataset } from '../src/datasets/prepare.ts';
import type { ArchiveFormat } from '../src/domain/archive-format.ts';
import type { Manifest } from '../src/domain/dataset.ts';
import { keyedRandom } from '../src/training/random.ts';
import { testData } from '../test/fixtures/test-data.ts';

export type BenchData = {
  name: string;
  manifest: Manifest;
  manifestPath: string;
  imagesPath: string;
};

/** Runs with a folder that is gone afterwards. */
export async function inWorkDir<T>(run: (workDir: string) => Promise<T>): Promise<T> {
  const workDir = await mkdtemp(join(tmpdir(), 'onecycle-bench-'));
  try {
    return await run(workDir);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/** fast.ai's MNIST_SAMPLE; with `itemsMax`, that many of each split. */
export async function mnistSample(
  workDir: string,
  { itemsMax }: { itemsMax: number | null },
): Promise<BenchData> {
  const archivePath = testData('mnist_sample.tgz') ?? (await madeMnistSample());
  return await prepared('MNIST_SAMPLE', { archivePath, format: 'tgz', workDir, itemsMax });
}

async function madeMnistSample(): Promise<string> {
  // where the demo keeps it
  const path = fileURLToPath(new URL('../data/demo/mnist_sample.tgz', import.meta.url));
  const script = new URL('../scripts/mnist-sample.mjs', import.meta.url).href;
  // plain JavaScript without declarations
  const made = (await import(script)) as { makeMnistSample(path: string): Promise<void> };
  await made.makeMnistSample(path);
  return path;
}

/** Real photos of about 500x375 where the test data is there, else made ones. */
export async function photos(
  workDir: string,
  { made }: { made: number | null },
): Promise<BenchData> {
  const archivePath = made === null ? testData('photos/hymenoptera.tgz') : null;
  if (archivePath) {
    const format = 'tgz';
    return await prepared('hymenoptera photos', { archivePath, format, workDir, itemsMax: null });
  }
  const path = join(workDir, 'photos.tar');
  await makePhotos(path, made ?? 128);
  const options = { archivePath: path, format: 'tar', workDir, itemsMax: null } as const;
  return await prepared('made photos', options);
}

async function prepared(
  name: string,
  options: { archivePath: string; format: ArchiveFormat; workDir: string; itemsMax: number | null },
): Promise<BenchData> {
  const { archivePath, format, itemsMax } = options;
  const workDir = await mkdtemp(join(options.workDir, 'data-'));
  const { manifest, imagesPath } = await prepareDataset({
    archivePath,
    format,
    workDir,
  });
  const items = itemsMax === null ? manifest.items : someOfEach(manifest, itemsMax);
  const kept = { ...manifest, items };
  const manifestPath = join(workDir, 'manifest.json');
  await writeFile(manifestPath, JSON.stringify(kept));
  return { name, manifest: kept, manifestPath, imagesPath };
}

/** As many of every class and split, so that no class is lost. */
function someOfEach({ items, classes }: Manifest, itemsMax: number): Manifest['items'] {
  const each = Math.ceil(itemsMax / classes.length);
  const seen = new Map<string, number>();
  return items.filter(({ split, label }) => {
    const key = `${split}/${label}`;
    const count = (seen.get(key) ?? 0) + 1;
    seen.set(key, count);
    return count <= each;
  });
}

/** The images as fastai reads them: split/class/file. */
export async function asFolder(data: BenchData, workDir: string): Promise<string> {
  const folder = await mkdtemp(join(workDir, 'folder-'));
  const images = await open(data.imagesPath);
  try {
    for (const { file, split, label, offset, length } of data.manifest.items) {
      const bytes = Buffer.alloc(length);
      await images.read(bytes, 0, length, offset);
      const dir = join(folder, split ?? 'train', label);
      await mkdir(dir, { recursive: true });
      await writeFile(join(dir, basename(file)), bytes);
    }
  } finally {
    await images.close();
  }
  return folder;
}

/** JPEGs of 500x375 in two classes: soft shapes with a camera's noise, so that they weigh what photos weigh. */
async function makePhotos(path: string, count: number): Promise<void> {
  const [width, height] = [500, 375];
  const tar = pack();
  const written = pipeline(tar, createWriteStream(path));
  for (let i = 0; i < count; i++) {
    const random = keyedRandom(500, i);
    const noise = (w: number, h: number) =>
      Buffer.from(Uint8Array.from({ length: w * h * 3 }, () => 256 * random.next()));
    const shapes = sharp(noise(10, 8), { raw: { width: 10, height: 8, channels: 3 } });
    const soft = await shapes.resize(width, height, { kernel: 'cubic' }).raw().toBuffer();
    const grain = noise(width, height);
    const pixels = soft.map((value, k) =>
      Math.max(0, Math.min(255, value + (grain[k] ?? 0) / 8 - 16)),
    );
    const jpeg = await sharp(Buffer.from(pixels), { raw: { width, height, channels: 3 } })
      .jpeg({ quality: 90 })
      .toBuffer();
    tar.entry({ name: `train/${i % 2 === 0 ? 'ants' : 'bees'}/${i}.jpg` }, jpeg);
  }
  tar.finalize();
  await written;
}
