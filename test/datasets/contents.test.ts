// What an archive holds beside images that are as they should be: nothing of it leaves in silence.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import sharp from 'sharp';
import { prepareDataset, RefusedDataset } from '../../src/datasets/prepare.ts';
import { DatasetReport } from '../../src/domain/dataset.ts';
import { newFolder, png } from '../fixtures/make-archive.ts';
import { type RawFile, writeRawTar, writeRawZip } from '../fixtures/raw-archive.ts';

type Files = Record<string, Buffer | string>;

const raw = (files: Files): RawFile[] =>
  Object.entries(files).map(([name, content]) => ({
    name: Buffer.from(name),
    content: Buffer.from(content),
  }));

async function prepare(files: readonly RawFile[], format: 'zip' | 'tar' = 'zip') {
  const archivePath = await (format === 'zip' ? writeRawZip(files) : writeRawTar(files));
  const prepared = await prepareDataset({ archivePath, format, workDir: await newFolder() });
  DatasetReport.parse(prepared.report);
  const { items } = prepared.manifest;
  const { report } = prepared;
  // the ledger: each file once, as an image, as a table or under a reason
  const files_ = files.filter(
    ({ type = '0', name }) => type !== '5' && !name.toString().endsWith('/'),
  );
  assert.equal(items.length + report.used_tables.length + report.skipped_total, files_.length);
  const counted = report.skipped_reasons.reduce((sum, { count }) => sum + count, 0);
  assert.equal(counted, report.skipped_total);
  const reasons = Object.fromEntries(report.skipped.map(({ file, reason }) => [file, reason]));
  return { ...prepared, items, reasons };
}

const two = async (): Promise<Files> => ({
  'cat/1.png': await png(1),
  'dog/1.png': await png(2),
});

test('what systems and tools leave is skipped, under what left it', async () => {
  const picture = await png(9);
  const litter: Record<string, RegExp> = {
    '__MACOSX/cat/._1.png': /macOS/,
    'cat/._1.png': /macOS/,
    'cat/.DS_Store': /macOS/,
    'cat/Thumbs.db': /Windows/,
    'dog/desktop.ini': /Windows/,
    'cat/@eaDir/1.png/SYNOPHOTO_THUMB_M.jpg': /Synology/,
    'cat/.thumbnails/1.png': /gallery/,
    'cat/.ipynb_checkpoints/1-checkpoint.png': /Jupyter/,
    '.git/objects/1.png': /version control/,
    'cat/.hidden.png': /hidden/,
    'notes.txt': /not an image \(\.txt\)/,
    'clip.mp4': /video/,
    'more.zip': /archive within the archive/,
    'cat/no-idea': /first bytes/,
  };
  const files = {
    ...(await two()),
    ...Object.fromEntries(Object.keys(litter).map((name) => [name, picture])),
  };
  const { 'cat/no-idea': _, ...pictures } = files;
  const { items, reasons } = await prepare(raw({ ...pictures, 'cat/no-idea': 'text' }));
  assert.deepEqual(
    items.map(({ file }) => file),
    ['cat/1.png', 'dog/1.png'],
  );
  for (const [name, reason] of Object.entries(litter))
    assert.match(reasons[name] ?? '', reason, name);
});

test('a folder named thumbs beside images holds previews; alone it is a class', async () => {
  const beside = await prepare(raw({ ...(await two()), 'cat/thumbs/1.png': await png(3) }));
  assert.match(beside.reasons['cat/thumbs/1.png'] ?? '', /preview/);
  assert.match(beside.report.warnings.join(), /named thumbs or thumbnails are left out/);
  const alone = await prepare(
    raw({ 'thumbnails/cat/1.png': await png(1), 'thumbnails/dog/2.png': await png(2) }),
  );
  assert.equal(alone.items.length, 2);
});

test('up to 1,000 skipped files are named, images first; all are counted by reason and folder', async () => {
  const files: Files = await two();
  for (let i = 0; i < 1200; i++) files[`cat/${i}.txt`] = '';
  files['dog/broken.png'] = 'x';
  const { report } = await prepare(raw(files));
  assert.equal(report.skipped.length, 1000);
  assert.equal(report.skipped[0]?.file, 'dog/broken.png');
  assert.deepEqual(report.skipped_reasons[0], {
    reason: 'not an image (.txt)',
    folder: 'cat',
    count: 1200,
  });
});

test('reasons in too many folders are counted without them', async () => {
  const files: Files = await two();
  for (let i = 0; i < 1100; i++) files[`notes/${i}/a.txt`] = '';
  const { report } = await prepare(raw(files));
  assert.deepEqual(report.skipped_reasons, [
    { reason: 'not an image (.txt)', folder: null, count: 1100 },
  ]);
});

test('pictures are known by their first bytes, packed or not, whatever they are called', async () => {
  const names = [
    'cat/1',
    'cat/2.jpg_large',
    'cat/3.jpg?w=300',
    'cat/4.jpg!d',
    'dog/5.orig',
    'dog/6.',
  ];
  const files: Files = {};
  for (const [i, name] of names.entries()) files[name] = await png(i);
  for (const format of ['zip', 'tar'] as const) {
    const { items } = await prepare(raw(files), format);
    assert.deepEqual(items.map(({ file }) => file).sort(), [...names].sort());
  }
});

test('folders without an image that can be used are warned of, the uppermost only', async () => {
  const files = [
    ...raw({ ...(await two()), 'docs/a/b/readme.txt': '', 'cat/broken/1.png': 'x' }),
    { name: Buffer.from('bird/') },
    { name: Buffer.from('bird/small/') },
  ];
  const { report } = await prepare(files);
  const { warnings } = report;
  assert.ok(warnings.includes('bird/ holds no image'), warnings.join());
  assert.ok(warnings.includes('docs/ holds no image'));
  assert.ok(warnings.includes('cat/broken/ holds no image that can be used'));
  assert.ok(!warnings.some((warning) => /bird\/small|docs\/a/.test(warning)));
});

test('a hard link in a tar is the file that it names, its bytes stored once', async () => {
  const files: RawFile[] = [
    ...raw({ 'all/1.png': await png(1), 'all/2.png': await png(2), './all/3.png': await png(3) }),
    ...[
      ['train/cat/1.png', 'all/1.png'],
      ['train/dog/2.png', 'all/2.png'],
      // of a link, and of a name with ./ before it
      ['valid/cat/1.png', 'train/cat/1.png'],
      ['valid/dog/3.png', 'all/3.png'],
      ['valid/dog/gone.png', 'all/gone.png'],
    ].map(([name = '', target = '']) => ({
      name: Buffer.from(name),
      type: '1',
      target: Buffer.from(target),
    })),
  ];
  const { items, reasons, imagesPath } = await prepare(files, 'tar');
  assert.deepEqual(
    items.map(({ file, label, split }) => [file, label, split]),
    [
      ['train/cat/1.png', 'cat', 'train'],
      ['train/dog/2.png', 'dog', 'train'],
      ['valid/cat/1.png', 'cat', 'valid'],
      ['valid/dog/3.png', 'dog', 'valid'],
    ],
  );
  const bin = await readFile(imagesPath);
  const third = items.find(({ file }) => file === 'valid/dog/3.png');
  assert.ok(third);
  assert.deepEqual(bin.subarray(third.offset, third.offset + third.length), await png(3));
  assert.equal(items[0]?.offset, items[2]?.offset);
  assert.match(
    reasons['valid/dog/gone.png'] ?? '',
    /hard link to a file that the archive does not hold/,
  );
});

test('symbolic links and devices are not followed, and said', async () => {
  const link = { type: '2', target: Buffer.from('/etc/passwd') };
  const { reasons } = await prepare(
    [
      ...raw(await two()),
      { name: Buffer.from('cat/2.png'), ...link },
      { name: Buffer.from('cat/null.png'), type: '3' },
    ],
    'tar',
  );
  assert.match(reasons['cat/2.png'] ?? '', /symbolic link, which is not followed/);
  assert.match(reasons['cat/null.png'] ?? '', /device/);
});

test('an archive of archives is refused by their names', async () => {
  const files = raw({ 'train.zip': 'PK', 'd/test.tar.gz': 'x', 'readme.md': '' });
  await assert.rejects(
    prepare(files),
    (error) =>
      error instanceof RefusedDataset &&
      error.code === 'dataset_empty' &&
      /only archives: "train.zip", "d\/test.tar.gz"/.test(error.message) &&
      /Send one of them/.test(error.hint),
  );
});

test('a method of packing that is not read is named, with the way out', async () => {
  const files = raw(await two()).map((file) => ({ ...file, method: 9 }));
  await assert.rejects(
    prepare(files),
    (error) =>
      error instanceof RefusedDataset &&
      /method 9 \(Deflate64/.test(error.message) &&
      /7-Zip/.test(error.hint),
  );
});

test('orientations are kept and counted, and the way to apply them is named', async () => {
  const turned = await sharp(await png(5, { w: 6, h: 4 }))
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
  const { items, report } = await prepare(raw({ ...(await two()), 'dog/t.jpg': turned }));
  const item = items.find(({ file }) => file === 'dog/t.jpg');
  assert.deepEqual([item?.width, item?.height, item?.orientation], [6, 4, 6]);
  assert.equal(report.turned, 1);
  assert.match(
    report.warnings.join(),
    /1 images carry an EXIF orientation.*data\.exif_orientation/,
  );
});

test('images of which 8 bits leave next to nothing are named', async () => {
  const deep = { width: 4, height: 4, channels: 1 as const };
  const twelve = new Uint16Array(16).map((_, i) => 256 * i);
  const dark = await sharp(twelve, { raw: deep }).toColourspace('grey16').png().toBuffer();
  const bright = await sharp(
    twelve.map((level) => 16 * level),
    { raw: deep },
  )
    .toColourspace('grey16')
    .png()
    .toBuffer();
  const black = await sharp({ create: { ...deep, channels: 3, background: '#000' } })
    .png()
    .toBuffer();
  const { report } = await prepare(
    raw({
      ...(await two()),
      'cat/dark.png': dark,
      'cat/bright.png': bright,
      'dog/unit.tif': floatTiff((i) => i / 15),
      'dog/bytes.tif': floatTiff((i) => 17 * i),
      'dog/black.png': black,
    }),
  );
  const warning = report.warnings.find((text) => /next to black/.test(text)) ?? '';
  assert.match(warning, /"cat\/dark.png": its samples go from 0 to 3840 of 65535/);
  assert.match(warning, /"dog\/unit.tif": its samples \(float\) go from 0 to 1,/);
  assert.doesNotMatch(warning, /bright\.png|black\.png|bytes\.tif/);
});

/** A TIFF of 4x4 grey pixels in 32-bit floats. */
function floatTiff(level: (index: number) => number): Buffer {
  const tags: [number, number, number][] = [
    [256, 3, 4],
    [257, 3, 4],
    [258, 3, 32],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 8],
    [277, 3, 1],
    [278, 3, 4],
    [279, 4, 64],
    [339, 3, 3],
  ];
  const bytes = Buffer.alloc(8 + 64 + 2 + 12 * tags.length + 4);
  bytes.write('II*\0');
  bytes.writeUInt32LE(72, 4);
  for (let i = 0; i < 16; i++) bytes.writeFloatLE(level(i), 8 + 4 * i);
  bytes.writeUInt16LE(tags.length, 72);
  tags.forEach(([tag, type, value], i) => {
    const at = 74 + 12 * i;
    bytes.writeUInt16LE(tag, at);
    bytes.writeUInt16LE(type, at + 2);
    bytes.writeUInt32LE(1, at + 4);
    bytes.writeUInt32LE(value, at + 8);
  });
  return bytes;
}
