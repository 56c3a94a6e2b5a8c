import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitOf, splitWord } from '../../src/datasets/labelling/split-words.ts';
import { Problem } from '../../src/domain/problem.ts';
import { label } from './label.ts';

const refused = (words: RegExp) => (error: unknown) =>
  error instanceof Problem && error.code === 'dataset_layout' && words.test(error.message);

test('split words are known in any case, with the words that people put around them', () => {
  const known: Record<string, string[]> = {
    train: ['train', 'Training', 'TRAIN', 'train_set', 'seg_train', 'TrainImages', 'train-2017'],
    valid: ['valid', 'val', 'Validation', 'dev', 'eval', 'hold_out', 'val_images'],
    test: ['test', 'Testing', 'seg_test', 'test_set', 'unlabeled', 'unlabelled'],
  };
  for (const [split, names] of Object.entries(known)) {
    for (const name of names) assert.equal(splitOf(name), split, name);
  }
  for (const name of [
    'cat',
    'trainer',
    'latest',
    'contest',
    'images',
    '3',
    'evaluate me',
    'ヴァル',
  ]) {
    assert.equal(splitOf(name), null, name);
  }
  assert.deepEqual(splitWord('chest_xray_train'), { split: 'train', of: 'chest xray' });
});

test('test/ is a split and no class, and never trained on', () => {
  const { splits, warnings } = label(['train/a/1.jpg', 'train/b/2.jpg', 'test/a/3.jpg']);
  assert.deepEqual(splits, {
    'train/a/1.jpg': null,
    'train/b/2.jpg': null,
    'test/a/3.jpg': 'test',
  });
  assert.match(warnings.join('\n'), /1 images are kept as the split test/);
  assert.match(warnings.join('\n'), /no validation images/);
});

test('a flat test/ has no labels and is left out with a word', () => {
  const { labels, skipped, warnings } = label([
    'd/train/a/1.jpg',
    'd/train/b/2.jpg',
    'd/test/3.jpg',
  ]);
  assert.deepEqual(Object.keys(labels), ['d/train/a/1.jpg', 'd/train/b/2.jpg']);
  assert.deepEqual(skipped, [
    { file: 'd/test/3.jpg', reason: 'in the test folder, without a label' },
  ]);
  assert.match(warnings.join('\n'), /1 images for the test .* never trained on/);
});

test('each split may be wrapped once more, as Intel’s seg_train/seg_train', () => {
  const { labels, splits } = label([
    'seg_train/seg_train/sea/1.jpg',
    'seg_train/seg_train/street/1.jpg',
    'seg_test/seg_test/sea/2.jpg',
    'seg_pred/seg_pred/3.jpg',
  ]);
  assert.equal(labels['seg_train/seg_train/sea/1.jpg'], 'sea');
  assert.equal(labels['seg_test/seg_test/sea/2.jpg'], 'sea');
  assert.equal(splits['seg_test/seg_test/sea/2.jpg'], 'test');
  assert.equal(labels['seg_pred/seg_pred/3.jpg'], undefined);
});

test('a validation folder of one class keeps its class', () => {
  const { labels } = label(['train/a/1.jpg', 'train/b/1.jpg', 'valid/a/2.jpg', 'valid/a/3.jpg']);
  assert.equal(labels['valid/a/2.jpg'], 'a');
});

test('the split may be below the class', () => {
  const { labels, splits } = label(['cat/train/1.jpg', 'cat/val/2.jpg', 'dog/train/3.jpg']);
  assert.deepEqual(Object.values(labels), ['cat', 'cat', 'dog']);
  assert.deepEqual(Object.values(splits), ['train', 'valid', 'train']);
});

test('a class may be named train while no other split word stands beside it', () => {
  const { labels } = label(['bus/1.jpg', 'car/2.jpg', 'train/3.jpg']);
  assert.equal(labels['train/3.jpg'], 'train');
});

test('train/ and test/ without class folders are refused, not taken for classes', () => {
  assert.throws(() => label(['train/1.jpg', 'test/2.jpg']), refused(/train\/.*test\//));
});

test('a flat test/ beside class folders is no class', () => {
  const { labels, warnings } = label(['cat/1.jpg', 'dog/2.jpg', 'test/3.jpg']);
  assert.deepEqual(labels, { 'cat/1.jpg': 'cat', 'dog/2.jpg': 'dog' });
  assert.match(warnings.join('\n'), /1 images under "test\/" have no label/);
});

test('sub folders of a class belong to it, folders that only hold images say nothing', () => {
  const mixed = label(['cat/1.jpg', 'cat/more cats/2.jpg', 'dog/3.jpg']);
  assert.equal(mixed.labels['cat/more cats/2.jpg'], 'cat');
  assert.match(mixed.warnings.join('\n'), /1 images in sub folders .*"cat\/more cats\/"/);
  const quiet = label([
    'train/n01/images/1.JPEG',
    'train/n02/images/2.JPEG',
    'val/n01/images/3.JPEG',
  ]);
  assert.deepEqual(Object.values(quiet.labels), ['n01', 'n02', 'n01']);
  assert.deepEqual(quiet.warnings, []);
});

test('a folder that repeats the classes is left out, or is their test', () => {
  const classes = ['cat/1.jpg', 'dog/2.jpg'];
  const sample = label([...classes, 'sample/cat/3.jpg', 'sample/dog/4.jpg']);
  assert.deepEqual(Object.keys(sample.labels), classes);
  assert.equal(sample.skipped.length, 2);
  const held = label([...classes, 'test/cat/3.jpg']);
  assert.equal(held.labels['test/cat/3.jpg'], 'cat');
  assert.equal(held.splits['test/cat/3.jpg'], 'test');
});

test('where the label may be the upper folder or the lower, both are named and nothing is guessed', () => {
  const unclear = [
    ['animal/cat/1.jpg', 'animal/dog/2.jpg', 'plant/oak/3.jpg'],
    [
      'site1/train/cat/1.jpg',
      'site1/val/cat/2.jpg',
      'site2/train/dog/3.jpg',
      'site2/val/dog/3.jpg',
    ],
    ['train/a/x/1.jpg', 'train/b/y/2.jpg', 'valid/a/x/3.jpg'],
  ];
  for (const paths of unclear) assert.throws(() => label(paths), refused(/upper folder .* lower/));
});

test('layout=name_re obeys the folders of a split', () => {
  const pattern = '/([a-z]+)_\\d+';
  const { splits } = label(['train/cat_1.jpg', 'train/dog_1.jpg', 'test/cat_2.jpg'], {
    layout: 'name_re',
    pattern,
  });
  assert.deepEqual(Object.values(splits), [null, null, 'test']);
});

test('val/ and test/ without train/ are refused for that', () => {
  assert.throws(() => label(['val/a/1.jpg', 'test/b/2.jpg']), refused(/no train\/ folder beside/));
});

test('class and split in one folder name are refused with the way out', () => {
  const paths = ['cat_train/1.jpg', 'cat_test/1.jpg', 'dog_train/1.jpg', 'dog_test/1.jpg'];
  assert.throws(() => label(paths), refused(/class and split in one name/));
  assert.deepEqual(Object.values(label(['train_station/1.jpg', 'test_tube/1.jpg']).labels), [
    'train_station',
    'test_tube',
  ]);
});

test('a class of train/ is one in valid/ and test/, whatever its name', () => {
  for (const names of [
    ['photo', 'sketch'],
    ['valid', 'invalid'],
    ['raw', 'ripe'],
  ]) {
    const { labels, skipped } = label(
      names.flatMap((name) => [`train/${name}/1.jpg`, `test/${name}/2.jpg`]),
    );
    assert.deepEqual([...new Set(Object.values(labels))], names);
    assert.deepEqual([Object.keys(labels).length, skipped], [4, []]);
  }
});

test('images that all lie under test/ are not trained on', () => {
  assert.throws(
    () => label(['pets/test/cat/1.jpg', 'pets/test/dog/2.jpg']),
    refused(/under "test\/"/),
  );
});

test('unlabeled/ beside labeled/cat and labeled/dog makes no class', () => {
  const paths = [
    'train/labeled/cat/1.jpg',
    'train/labeled/dog/2.jpg',
    'train/unlabeled/3.jpg',
    'test/cat/4.jpg',
  ];
  assert.throws(() => label(paths), refused(/upper folder .* lower/));
});

test('images/ beside masks/ are no classes', () => {
  assert.throws(
    () => label(['images/1.jpg', 'masks/1.png']),
    refused(/a folder of images is no class/),
  );
  const splits = ['images/train/1.jpg', 'images/val/2.jpg', 'masks/train/1.png', 'masks/val/2.png'];
  assert.throws(() => label(splits), refused(/a folder of images is no class/));
});

test('layout=name_re never trains on a lone test folder', () => {
  const paths = ['Entrainement/chat/1.jpg', 'Entrainement/chien/2.jpg', 'Test/chat/3.jpg'];
  const { splits } = label(paths, { layout: 'name_re', pattern: '/([^/]+)/[^/]+$' });
  assert.deepEqual(Object.values(splits), [null, null, 'test']);
});
