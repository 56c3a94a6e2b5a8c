import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import sharp from 'sharp';
import { Transforms } from '../../src/domain/data-options.ts';
import type { ManifestItem } from '../../src/domain/dataset.ts';
import { Problem } from '../../src/domain/problem.ts';
import { fromBf16 } from '../../src/engine/bfloat16.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { ByteBudget } from '../../src/vision/byte-budget.ts';
import {
  type Batch,
  createLoader,
  type Loader,
  type LoaderOptions,
} from '../../src/vision/loader.ts';
import { batchStats, imagenetStats } from '../../src/vision/normalize.ts';
import { newFolder, png } from '../fixtures/make-archive.ts';
import { builtKernels, notBuilt } from './native-kernels.ts';

const n = 10;
const skip = notBuilt(await builtKernels());

/** Ten images of one colour each, `colour` 20 i, of classes a and b by turns. */
async function dataset(size = (_: number) => ({ w: 8, h: 8 })) {
  const items: ManifestItem[] = [];
  const chunks: Buffer[] = [];
  let offset = 0;
  for (let i = 0; i < n; i++) {
    const { w, h } = size(i);
    const bytes = await png(20 * i, { w, h });
    chunks.push(bytes);
    items.push({
      file: `${i}.png`,
      label: i % 2 === 0 ? 'a' : 'b',
      split: 'train',
      offset,
      length: bytes.length,
      width: w,
      height: h,
      orientation: 1,
      sha256: '',
    });
    offset += bytes.length;
  }
  const imagesPath = join(await newFolder(), 'images.bin');
  await writeFile(imagesPath, Buffer.concat(chunks));
  return { items, imagesPath };
}

const plain = {
  classes: ['a', 'b'],
  size: null,
  resizeMethod: 'crop',
  paddingMode: 'reflection',
  transforms: null,
  train: true,
  batchSize: 4,
  normalize: null,
  storage: 'f32',
  seed: 42,
  shuffle: true,
  dropLast: true,
} satisfies Partial<LoaderOptions>;

async function all(loader: Loader, epoch: number, startStep = 0): Promise<Batch[]> {
  const batches: Batch[] = [];
  for await (const batch of loader.batches(epoch, { startStep })) batches.push(batch);
  return batches;
}

const data = dataset();

test('training drops the rest, validation keeps it and its order', async () => {
  const { items, imagesPath } = await data;
  const train = createLoader({ ...plain, items, imagesPath });
  assert.equal(train.batchesPerEpoch, 2);
  assert.deepEqual(
    (await all(train, 0)).map((batch) => batch.shape),
    [
      [4, 8, 8, 3],
      [4, 8, 8, 3],
    ],
  );
  const valid = createLoader({
    ...plain,
    items,
    imagesPath,
    train: false,
    shuffle: false,
    dropLast: false,
  });
  assert.equal(valid.batchesPerEpoch, 3);
  const batches = await all(valid, 0);
  assert.deepEqual(
    batches.flatMap((batch) => batch.items),
    items.map((_, i) => i),
  );
  assert.deepEqual(batches[2]?.shape, [2, 8, 8, 3]);
  assert.deepEqual(
    batches.flatMap((batch) => [...batch.labels]),
    [0, 1, 0, 1, 0, 1, 0, 1, 0, 1],
  );
  train.close();
  valid.close();
});

test('labels and pixels belong to the items named, in float32 as torch divides', async () => {
  const { items, imagesPath } = await data;
  const loader = createLoader({ ...plain, items, imagesPath });
  for (const batch of await all(loader, 3)) {
    batch.items.forEach((item, i) => {
      assert.equal(batch.labels[i], item % 2);
      const [r, g, b] = batch.images.subarray(i * 192, i * 192 + 3);
      assert.deepEqual([r, g, b], [Math.fround((20 * item) / 255), 0, Math.fround(77 / 255)]);
    });
  }
  loader.close();
});

test('normalised pixels are (x - mean) / std, on the fast path and behind a plan', async () => {
  const { items, imagesPath } = await data;
  for (const size of [null, 6]) {
    const loader = createLoader({ ...plain, items, imagesPath, size, normalize: imagenetStats });
    const [batch] = await all(loader, 0);
    const item = batch?.items[0] ?? 0;
    const expected = [(20 * item) / 255, 0, 77 / 255].map(
      (x, c) => (x - (imagenetStats.mean[c] ?? 0)) / (imagenetStats.std[c] ?? 1),
    );
    expected.forEach((value, c) => {
      assert.ok(Math.abs((batch?.images[c] ?? 0) - value) < 1e-5);
    });
    loader.close();
  }
});

test('epochs differ, and an epoch taken up at any step goes on bit for bit', async () => {
  const { items, imagesPath } = await data;
  const options: LoaderOptions = {
    ...plain,
    items,
    imagesPath,
    batchSize: 2,
    size: 12,
    transforms: Transforms.parse({}),
  };
  const loader = createLoader(options);
  const whole = await all(loader, 1);
  assert.notDeepEqual(
    (await all(loader, 2)).flatMap((batch) => batch.items),
    whole.flatMap((batch) => batch.items),
  );
  const fresh = createLoader(options);
  for (const startStep of [0, 1, 3, 5]) {
    assert.deepEqual(await all(fresh, 1, startStep), whole.slice(startStep));
  }
  const otherSeed = createLoader({ ...options, seed: 43 });
  assert.notDeepEqual(await all(otherSeed, 1), whole);
  for (const opened of [loader, fresh, otherSeed]) opened.close();
});

test('transforms change training images and leave validation images as they are', async () => {
  const { items, imagesPath } = await data;
  const transforms = Transforms.parse({ p_lighting: 1, max_lighting: 0.5 });
  const options = { ...plain, items, imagesPath, transforms, shuffle: false };
  const train = createLoader(options);
  const valid = createLoader({ ...options, train: false });
  const untouched = createLoader({ ...options, transforms: null });
  const [a, b, c] = [
    (await all(train, 0))[0],
    (await all(valid, 0))[0],
    (await all(untouched, 0))[0],
  ];
  assert.deepEqual(b?.images, c?.images);
  assert.notDeepEqual(a?.images, c?.images);
  assert.ok(a?.images.every((value) => value >= 0 && value <= 1));
  for (const opened of [train, valid, untouched]) opened.close();
});

test('images of different sizes need a size, and the problem names those seen', async () => {
  const mixed = await dataset((i) => (i < 3 ? { w: 9, h: 5 } : { w: 8, h: 8 }));
  assert.throws(
    () => createLoader({ ...plain, ...mixed }),
    (error) =>
      error instanceof Problem &&
      error.code === 'sizes_differ' &&
      /8x8 \(7\), 9x5 \(3\)/.test(error.message),
  );
  const loader = createLoader({ ...plain, ...mixed, size: [6, 10], resizeMethod: 'squish' });
  assert.deepEqual(loader.imageSize, [6, 10]);
  assert.deepEqual((await all(loader, 0))[0]?.shape, [4, 6, 10, 3]);
  loader.close();
});

test('images are turned as their EXIF orientation says where a job asks for it, and not elsewhere', async () => {
  const raw = { width: 4, height: 2, channels: 3 as const };
  // in stored pixels the left half is white; turned by 6, a quarter clockwise, it is the upper one
  const pixels = Uint8Array.from({ length: 24 }, (_, i) => (Math.floor(i / 3) % 4 < 2 ? 255 : 0));
  const bytes = await sharp(pixels, { raw }).withMetadata({ orientation: 6 }).png().toBuffer();
  const imagesPath = join(await newFolder(), 'images.bin');
  await writeFile(imagesPath, bytes);
  const item = {
    file: 'a.png',
    label: 'a',
    split: 'train' as const,
    offset: 0,
    length: bytes.length,
    width: 4,
    height: 2,
    orientation: 6,
    sha256: '',
  };
  const options = {
    ...plain,
    items: [item],
    imagesPath,
    train: false,
    batchSize: 1,
    dropLast: false,
  };
  for (const [exifOrientation, size, white] of [
    ['ignore', [2, 4], [1, 1, 0, 0, 1, 1, 0, 0]],
    ['apply', [4, 2], [1, 1, 1, 1, 0, 0, 0, 0]],
  ] as const) {
    const loader = createLoader({ ...options, exifOrientation });
    assert.deepEqual(loader.imageSize, size);
    for (let epoch = 0; epoch < 2; epoch++) {
      const [batch] = await all(loader, epoch);
      assert.deepEqual(
        Array.from({ length: 8 }, (_, i) => batch?.images[3 * i]),
        white,
      );
    }
    loader.close();
  }
});

test('fewer training images than one batch are refused, validation images are not', async () => {
  const { items, imagesPath } = await data;
  assert.throws(
    () => createLoader({ ...plain, items, imagesPath, batchSize: 11 }),
    (error) => error instanceof Problem && error.code === 'batch_too_large',
  );
  const valid = createLoader({
    ...plain,
    items,
    imagesPath,
    batchSize: 64,
    train: false,
    dropLast: false,
  });
  assert.equal(valid.batchesPerEpoch, 1);
  valid.close();
});

test('leaving an epoch early leaves nothing that fails later', async () => {
  const { items, imagesPath } = await data;
  const loader = createLoader({ ...plain, items, imagesPath, batchSize: 1 });
  for await (const batch of loader.batches(0)) {
    assert.equal(batch.items.length, 1);
    break;
  }
  loader.close();
  loader.close();
});

test('damaged images.bin is an error, not a wrong image', async () => {
  const { items, imagesPath } = await data;
  const shifted = items.map((item) => ({ ...item, offset: item.offset + 1 }));
  const loader = createLoader({ ...plain, items: shifted, imagesPath });
  await assert.rejects(all(loader, 0));
  loader.close();
});

test('an engine with image kernels makes the batches of the referee', { skip }, async () => {
  const { items, imagesPath } = await dataset((i) => ({ w: 40 + i, h: 50 - 3 * i }));
  const options = { ...plain, items, imagesPath, size: 24, normalize: imagenetStats };
  const run = async (engine: 'js' | 'onednn', storage: 'f32' | 'bf16') => {
    await startEngine({ engine, precision: 'f32', threads: null });
    const loader = createLoader({ ...options, storage, transforms: Transforms.parse({}) });
    const batches = await all(loader, 4);
    loader.close();
    return batches;
  };
  const expected = await run('js', 'f32');
  for (const [engine, storage, tolerance] of [
    ['onednn', 'f32', 1e-4],
    ['onednn', 'bf16', 2 ** -7],
    ['js', 'bf16', 2 ** -7],
  ] as const) {
    (await run(engine, storage)).forEach(({ images, ...rest }, i) => {
      const { images: wanted, ...others } = expected[i] as Batch;
      assert.deepEqual(rest, others);
      const values = images instanceof Uint16Array ? fromBf16(images) : images;
      assert.ok(
        values.every(
          (v, k) => Math.abs(v - (wanted[k] ?? 0)) <= tolerance * Math.max(1, Math.abs(v)),
        ),
      );
    });
  }
  await startEngine({ engine: 'js', precision: 'f32', threads: null });
});

test('a batch that is given back lends its memory to a later one, and no two at once', async () => {
  const { items, imagesPath } = await data;
  const loader = createLoader({ ...plain, items, imagesPath, batchSize: 1 });
  const expected = (await all(loader, 5)).map(({ images }) => images.slice());
  const buffers = new Set<ArrayBufferLike>();
  let step = 0;
  for await (const batch of loader.batches(5)) {
    assert.deepEqual(batch.images, expected[step++]);
    buffers.add(batch.images.buffer);
    loader.recycle(batch);
    loader.recycle(batch);
  }
  assert.equal(step, n);
  assert.ok(buffers.size <= 6, `${buffers.size} buffers for ${n} batches`);
  loader.close();
});

test('the byte budget grants in order, and more than all of it to one alone', async () => {
  const budget = new ByteBudget(10);
  const granted: string[] = [];
  const ask = (name: string, bytes: number) => {
    const wait = budget.take(bytes);
    if (wait) wait.then(() => granted.push(name));
    else granted.push(name);
  };
  ask('a', 6);
  ask('b', 4);
  ask('c', 50);
  ask('d', 1);
  assert.deepEqual(granted, ['a', 'b']);
  budget.give(6);
  await Promise.resolve();
  assert.deepEqual(granted, ['a', 'b']);
  budget.give(4);
  await Promise.resolve();
  assert.deepEqual(granted, ['a', 'b', 'c']);
  budget.give(50);
  await Promise.resolve();
  assert.deepEqual(granted, ['a', 'b', 'c', 'd']);
});

test('batch statistics are per channel, with the unbiased deviation', () => {
  const { mean, std } = batchStats(Float32Array.from([0, 1, 0.5, 1, 1, 0.25]));
  assert.deepEqual(mean, [0.5, 1, 0.375]);
  assert.deepEqual(std, [Math.SQRT1_2, 0, Math.sqrt(2 * 0.125 ** 2)]);
});
