import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { archiveLimits } from '../../src/datasets/archive/limits.ts';
import { type PrepareOptions, prepareDataset, RefusedDataset } from '../../src/datasets/prepare.ts';
import { DatasetReport, Manifest } from '../../src/domain/dataset.ts';
import { makeTar, newFolder, png } from '../fixtures/make-archive.ts';
import { absent, testData } from '../fixtures/test-data.ts';

async function prepare(
  files: Record<string, Buffer | string>,
  options: Partial<PrepareOptions> = {},
) {
  return prepareDataset({
    archivePath: await makeTar(files),
    format: 'tar',
    workDir: await newFolder(),
    ...options,
  });
}

async function refusal(files: Record<string, Buffer | string>, options?: Partial<PrepareOptions>) {
  try {
    await prepare(files, options);
  } catch (error) {
    assert.ok(error instanceof RefusedDataset, String(error));
    DatasetReport.parse(error.report);
    assert.equal(error.report.error?.code, error.code);
    return error;
  }
  return assert.fail('the archive was accepted');
}

test('items are sorted by file, and images.bin holds each one’s bytes at its offset', async () => {
  const files = {
    'train/dog/2.png': await png(1),
    'train/cat/1.png': await png(2, { w: 9, h: 5 }),
    'valid/dog/3.png': await png(3),
  };
  const { manifest, report, imagesPath } = await prepare(files);
  Manifest.parse(manifest);
  DatasetReport.parse(report);
  assert.deepEqual(manifest.classes, ['cat', 'dog']);
  assert.deepEqual(
    manifest.items.map(({ file, label, split, width, height }) => [
      file,
      label,
      split,
      width,
      height,
    ]),
    [
      ['train/cat/1.png', 'cat', 'train', 9, 5],
      ['train/dog/2.png', 'dog', 'train', 8, 8],
      ['valid/dog/3.png', 'dog', 'valid', 8, 8],
    ],
  );
  const bin = await readFile(imagesPath);
  for (const { file, offset, length, sha256 } of manifest.items) {
    const bytes = bin.subarray(offset, offset + length);
    assert.deepEqual(bytes, files[file as keyof typeof files]);
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256);
  }
  assert.equal(bin.length, Math.max(...manifest.items.map((item) => item.offset + item.length)));
  assert.deepEqual(report.counts, {
    train: { cat: 1, dog: 1 },
    valid: { dog: 1 },
    test: {},
    unsplit: {},
  });
  assert.deepEqual(report.sizes, [
    [8, 8, 2],
    [9, 5, 1],
  ]);
});

test('the digest depends on files, labels and bytes, not on the order in the archive', async () => {
  const a = { 'cat/1.png': await png(1), 'dog/2.png': await png(2) };
  const reversed = Object.fromEntries(Object.entries(a).reverse());
  const other = { ...a, 'dog/2.png': await png(3) };
  const moved = { 'cat/1.png': await png(1), 'fox/2.png': await png(2) };
  const digests = [];
  for (const files of [a, reversed, other, moved]) {
    digests.push((await prepare(files)).manifest.digest);
  }
  assert.equal(digests[0], digests[1]);
  assert.equal(new Set(digests).size, 3);
});

test('classes are sorted as Python sorts strings, upper case first', async () => {
  const names = ['beagle', 'Bengal', 'Abyssinian', 'american_bulldog'];
  const files: Record<string, Buffer> = {};
  for (const [i, name] of names.entries()) files[`${name}/${i}.png`] = await png(i);
  const { manifest } = await prepare(files);
  assert.deepEqual(manifest.classes, ['Abyssinian', 'Bengal', 'american_bulldog', 'beagle']);
});

test('a validation image of a class that no training image has is dropped with a warning', async () => {
  const { manifest, report } = await prepare({
    'train/cat/1.png': await png(1),
    'train/dog/2.png': await png(2),
    'valid/fox/3.png': await png(3),
  });
  assert.deepEqual(manifest.classes, ['cat', 'dog']);
  assert.equal(manifest.items.length, 2);
  assert.match(report.warnings.join(), /1 images for validation or the test are dropped.*"fox"/);
});

test('an image that cannot be decoded is skipped with its reason, the rest is kept', async () => {
  const good = await png(9, { w: 300, h: 300 });
  const { manifest, report } = await prepare({
    'cat/1.png': await png(1),
    'dog/2.png': await png(2),
    'dog/empty.jpg': '',
    'dog/text.jpg': '<html>404</html>',
    'dog/cut.png': good.subarray(0, good.length - 40),
    'dog/notes.txt': 'no image by its name',
    '__MACOSX/dog/._2.png': 'x',
    'dog/.hidden.png': await png(4),
  });
  assert.equal(manifest.items.length, 2);
  const reasons = Object.fromEntries(report.skipped.map(({ file, reason }) => [file, reason]));
  assert.deepEqual(Object.keys(reasons).sort(), [
    '__MACOSX/dog/._2.png',
    'dog/.hidden.png',
    'dog/cut.png',
    'dog/empty.jpg',
    'dog/notes.txt',
    'dog/text.jpg',
  ]);
  assert.match(reasons['__MACOSX/dog/._2.png'] ?? '', /macOS/);
  assert.match(reasons['dog/notes.txt'] ?? '', /not an image \(\.txt\)/);
  assert.equal(reasons['dog/empty.jpg'], 'the file is empty');
  assert.match(reasons['dog/text.jpg'] ?? '', /not an image/);
  assert.equal(report.skipped_total, 6);
});

test('duplicates, leaks between train and valid, and torn labels are reported', async () => {
  const [a, b] = [await png(1), await png(2)];
  const { report } = await prepare({
    'train/cat/1.png': a,
    'train/dog/2.png': b,
    'valid/cat/leak.png': a,
    'valid/cat/wrong.png': b,
  });
  assert.equal(report.duplicates_total, 2);
  assert.match(report.warnings.join('\n'), /2 images are in both train and valid/);
  assert.match(report.warnings.join('\n'), /1 images are there under different labels/);
});

test('a name that comes twice counts once, the first', async () => {
  const [first, second] = [await png(1), await png(2)];
  const { manifest, report } = await prepare({
    'cat/1.png': first,
    './cat/1.png': second,
    'dog/2.png': await png(3),
  });
  const kept = manifest.items.filter((item) => item.file === 'cat/1.png');
  assert.equal(kept.length, 1);
  assert.equal(kept[0]?.sha256, createHash('sha256').update(first).digest('hex'));
  assert.match(report.skipped[0]?.reason ?? '', /twice/);
});

test('what makes no data set is refused with its code, and a report', async () => {
  const cases: [string, Record<string, Buffer | string>][] = [
    ['dataset_empty', { 'a.txt': 'text' }],
    ['dataset_empty', { 'cat/1.png': 'x', 'dog/2.png': 'x' }],
    ['dataset_one_class', { 'top/cat/1.png': await png(1), 'top/2.png': await png(2) }],
    ['dataset_class_empty', { 'cat/1.png': await png(1), 'dog/2.png': 'x' }],
    ['archive_unsafe', { '../cat/1.png': await png(1) }],
    ['archive_unsafe', { '/etc/1.png': await png(1) }],
    ['archive_limit', { [`${'d/'.repeat(40)}1.png`]: await png(1) }],
  ];
  for (const [code, files] of cases) {
    assert.equal((await refusal(files)).code, code, Object.keys(files).join());
  }
});

test('dataset_class_empty names the class, the files and why', async () => {
  const { message } = await refusal({ 'cat/1.png': await png(1), 'dog/2.png': 'x' });
  assert.match(message, /"dog".*"dog\/2.png": not an image/);
});

test('limits on entries and on unpacked bytes hold', async () => {
  const files = { 'cat/1.png': await png(1), 'dog/2.png': await png(2) };
  const entries = await refusal(files, { limits: { ...archiveLimits, entriesMax: 1 } });
  assert.match(entries.message, /over 1 entries/);
  const bytes = await refusal(files, { limits: { ...archiveLimits, unpackedBytesMax: 1000 } });
  assert.match(bytes.message, /more than 1000 bytes/);
});

test('an aborted signal ends the preparation at once', async () => {
  const files = { 'cat/1.png': await png(1), 'dog/2.png': await png(2) };
  await assert.rejects(prepare(files, { signal: AbortSignal.abort() }), { name: 'AbortError' });
});

const mnist = 'mnist_sample.tgz';
test('MNIST_SAMPLE becomes 12,396 training and 2,038 validation images', {
  skip: absent(mnist),
}, async () => {
  const { manifest, report } = await prepareDataset({
    archivePath: testData(mnist) ?? '',
    format: 'tgz',
    workDir: await newFolder(),
  });
  assert.deepEqual(manifest.classes, ['3', '7']);
  assert.deepEqual(report.counts, {
    train: { '3': 6131, '7': 6265 },
    valid: { '3': 1010, '7': 1028 },
    test: {},
    unsplit: {},
  });
  assert.deepEqual(report.sizes, [[28, 28, 14434]]);
  assert.deepEqual(report.skipped, [
    { file: 'mnist_sample/labels.csv', reason: 'a table that no label is read from' },
  ]);
});

test('the summary says in a sentence what came of the upload', async () => {
  const { report } = await prepare({
    'train/cat/1.png': await png(1),
    'train/dog/2.png': await png(2),
    'valid/cat/3.png': await png(3),
    'valid/dog/4.png': 'no image',
    'notes.md': 'x',
  });
  assert.match(
    report.summary,
    /^3 images of 2 classes \("cat", "dog"\)\. 2 for training, 1 for validation\. 2 files left out: not an image/,
  );
  const { report: refused } = await refusal({ 'cat/1.png': await png(1) });
  assert.match(
    refused.summary,
    /^No data set: All images lie in one folder|^No data set: All 1 images/,
  );
});
