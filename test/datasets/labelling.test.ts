import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LabelOptions } from '../../src/datasets/labelling/files.ts';
import { labelFiles } from '../../src/datasets/labelling/labelling.ts';
import { nothingSaid } from '../../src/domain/dataset.ts';
import { Problem } from '../../src/domain/problem.ts';
import { isImageName } from '../../src/vision/image-format.ts';

function label(
  paths: string[],
  options: Partial<Omit<LabelOptions, 'csv'>> & { csv?: Record<string, string> } = {},
) {
  const { csv = {}, ...said } = options;
  const files = [
    ...paths.map((path) => ({ path })),
    ...Object.entries(csv).map(([path, text]) => ({ path, text })),
  ].map((file, index) => ({ index, isImage: isImageName(file.path), ...file }));
  const { files: labelled, ...rest } = labelFiles(files, { ...nothingSaid, ...said });
  return { labels: labelled.map((file) => [file.path, file.label, file.split]), ...rest };
}

const refused = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof Problem && error.code === code && words.test(error.message);

test('train/ and valid/ split, and the folder of an image is its label', () => {
  const { labels } = label(['train/3/a.png', 'valid/7/b.png']);
  assert.deepEqual(labels, [
    ['train/3/a.png', '3', 'train'],
    ['valid/7/b.png', '7', 'valid'],
  ]);
});

test('a folder may wrap train/ and valid/, and PyTorch’s val/ is valid/', () => {
  const { labels } = label(['my data/train/3/a.png', 'my data/val/7/b.png']);
  assert.deepEqual(
    labels.map(([, , split]) => split),
    ['train', 'valid'],
  );
});

test('folders win over labels.csv, as in MNIST_SAMPLE', () => {
  const csv = { 'mnist/labels.csv': 'name,label\ntrain/3/a.png,0\nvalid/7/b.png,1\n' };
  const paths = ['mnist/train/3/a.png', 'mnist/valid/7/b.png'];
  assert.deepEqual(label(paths, { csv }).labels[0], ['mnist/train/3/a.png', '3', 'train']);
  assert.deepEqual(label(paths, { csv, layout: 'csv' }).labels[0], [
    'mnist/train/3/a.png',
    '0',
    'train',
  ]);
});

test('images outside of train/ and valid/, or in no class folder, are named', () => {
  const found = label([
    'train/3/a.png',
    'train/7/e.png',
    'valid/7/b.png',
    'train/c.png',
    'new/3/d.png',
  ]);
  assert.equal(found.labels.length, 3);
  assert.deepEqual(found.skipped, [
    { file: 'train/c.png', reason: 'not in a class folder' },
    { file: 'new/3/d.png', reason: 'outside of train/, valid/' },
  ]);
  assert.match(found.warnings[0] ?? '', /1 images outside .*"new\/3\/d.png"/);
});

test('a folder per class has no split, and images beside the folders are skipped', () => {
  const found = label(['top/cat/1.jpg', 'top/dog/2.jpg', 'top/cover.jpg', 'top/readme.txt']);
  assert.deepEqual(found.labels, [
    ['top/cat/1.jpg', 'cat', null],
    ['top/dog/2.jpg', 'dog', null],
  ]);
  assert.deepEqual(
    found.skipped.map(({ file }) => file),
    ['top/cover.jpg'],
  );
});

test('train/ alone is a folder per class', () => {
  assert.deepEqual(label(['train/cat/1.jpg', 'train/dog/2.jpg']).labels, [
    ['train/cat/1.jpg', 'cat', null],
    ['train/dog/2.jpg', 'dog', null],
  ]);
});

test('one flat folder is refused with the layouts that are understood', () => {
  assert.throws(
    () => label(['images/Abyssinian_1.jpg', 'images/beagle_2.jpg']),
    refused('dataset_layout', /name_re/),
  );
});

test('no image at all is dataset_empty', () => {
  assert.throws(() => label(['a.txt', 'b/c.md']), refused('dataset_empty', /2 files/));
});

test('labels.csv: names are relative to it, a header line is skipped, BOM and CRLF are understood', () => {
  const csv = { 'd/labels.csv': '\uFEFFname,label\r\nimages/1.jpg,cat\r\nimages/2.jpg,dog\r\n' };
  const { labels, warnings } = label(['d/images/1.jpg', 'd/images/2.jpg'], { csv });
  assert.deepEqual(labels, [
    ['d/images/1.jpg', 'cat', null],
    ['d/images/2.jpg', 'dog', null],
  ]);
  assert.deepEqual(warnings, []);
});

test('labels.csv: names may be relative to the images’ own folder', () => {
  const csv = { 'labels.csv': 'name,label\n1.jpg,cat\n2.jpg,dog\n' };
  assert.equal(label(['images/1.jpg', 'images/2.jpg'], { csv }).labels.length, 2);
});

test('labels.csv: a first line that names an image is no header', () => {
  const csv = { 'labels.csv': '1.jpg,cat\n2.jpg,dog\n' };
  const { labels, warnings } = label(['1.jpg', '2.jpg'], { csv });
  assert.equal(labels.length, 2);
  assert.match(warnings[0] ?? '', /no header/);
});

test('labels.csv: what is in one and not in the other is said', () => {
  const csv = { 'labels.csv': 'name,label\n1.jpg,cat\ngone.jpg,dog\n' };
  const { skipped, warnings } = label(['1.jpg', '2.jpg'], { csv });
  assert.deepEqual(skipped, [
    { file: 'gone.jpg', reason: 'in labels.csv, not in the archive' },
    { file: '2.jpg', reason: 'not in labels.csv' },
  ]);
  assert.match(
    warnings.join(),
    /1 lines of labels.csv name no file of the archive, such as "gone.jpg"/,
  );
  assert.match(warnings.join(), /1 images are not in labels.csv and left out: "2.jpg"/);
});

test('labels.csv: faults name their line', () => {
  const faults: [string, RegExp][] = [
    ['name,label\n1.jpg,cat\n1.jpg,dog\n', /line 3: .*"dog" here and "cat" above/],
    ['name,label\n1.jpg,\n', /line 2: the label is empty/],
    ['name,label\n../../etc/passwd,cat\n', /line 2: .* outside of the archive/],
    ['name,label\n1.jpg,cat,extra\n', /line 2/],
    ['name\n1.jpg\n', /line 1: expected two columns/],
    ['name,label\n"1.jpg,cat\n', /line \d: .*[Qq]uote/],
  ];
  for (const [text, words] of faults) {
    const csv = { 'labels.csv': text };
    assert.throws(() => label(['1.jpg'], { csv }), refused('labels_invalid', words), text);
  }
});

test('layout csv without a labels.csv is refused', () => {
  assert.throws(
    () => label(['cat/1.jpg'], { layout: 'csv' }),
    refused('dataset_layout', /no labels\.csv/),
  );
});

test('name_re: the first group of the lesson’s pattern is the label', () => {
  const pattern = '/([^/]+)_\\d+.jpg$';
  const paths = ['images/Abyssinian_1.jpg', 'images/american_bulldog_12.jpg', 'images/odd.jpg'];
  const { labels, skipped } = label(paths, { layout: 'name_re', pattern });
  assert.deepEqual(
    labels.map(([, name]) => name),
    ['Abyssinian', 'american_bulldog'],
  );
  assert.deepEqual(skipped, [{ file: 'images/odd.jpg', reason: 'the pattern finds no label' }]);
});

test('name_re: Python’s named group is understood', () => {
  const { labels } = label(['cat_1.jpg'], { layout: 'name_re', pattern: '(?P<label>[a-z]+)_' });
  assert.equal(labels[0]?.[1], 'cat');
});

test('name_re: a bad pattern, one that finds nothing, and one that never ends are refused', () => {
  const faults: [string, RegExp][] = [
    ['([a-z', /not a regular expression/],
    ['(dog)', /finds no label in any path, such as "\/cat_aaaa/],
    ['^((([a-z_/]+)+)+)+!$', /backtracks too much/],
    ['x'.repeat(501), /over 500 characters/],
  ];
  for (const [pattern, words] of faults) {
    assert.throws(
      () => label([`cat_${'a'.repeat(100)}.jpg`], { layout: 'name_re', pattern }),
      refused('dataset_layout', words),
    );
  }
});

test('class names that are properties of every object are only names', () => {
  const { labels } = label(['__proto__/1.jpg', 'constructor/2.jpg']);
  assert.deepEqual(
    labels.map(([, name]) => name),
    ['__proto__', 'constructor'],
  );
});
