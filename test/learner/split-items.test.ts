import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ManifestItem } from '../../src/domain/dataset.ts';
import { splitItems } from '../../src/learner/split-items.ts';
import { splitByRandPct } from '../../src/training/split.ts';

type Split = ManifestItem['split'];
const itemsOf = (labels: readonly (readonly [string, Split])[]): ManifestItem[] =>
  labels.map(([label, split], i) => ({
    file: String(i).padStart(4, '0'),
    label,
    split,
    offset: 0,
    length: 1,
    width: 8,
    height: 8,
    orientation: 1,
    sha256: '',
  }));
const files = (items: readonly ManifestItem[]) => items.map(({ file }) => file);

test('a random split that loses no class is fastai’s, index by index', () => {
  const items = itemsOf(Array.from({ length: 40 }, (_, i) => [i % 2 === 0 ? 'a' : 'b', null]));
  const { train, valid, warnings } = splitItems(
    { items, classes: ['a', 'b'] },
    { validPct: 0.25, seed: 3 },
  );
  const expected = splitByRandPct(40, 0.25, 3);
  const named = (indices: number[]) => files(indices.map((i) => items[i] as ManifestItem));
  assert.deepEqual(files(train), named(expected.train));
  assert.deepEqual(files(valid), named(expected.valid));
  assert.deepEqual(warnings, []);
});

test('whatever the split, every class keeps a training image, no image is lost or in both, and moves are said', () => {
  const label = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g');
  const anySplit = fc.constantFrom<Split>('train', 'valid', 'test', null);
  const known = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
  let moved = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(label, anySplit), { minLength: 2, maxLength: 30 }),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      fc.nat(),
      (labels, validPct, seed) => {
        const items = itemsOf(labels);
        const pool = items.filter(({ split }) => split !== 'test');
        const split = splitItems({ items, classes: known }, { validPct, seed: seed % 2 ** 32 });
        const of = (own: readonly ManifestItem[]) => new Set(own.map((item) => item.label));
        assert.deepEqual([...of(split.train)].sort(), [...of(pool)].sort());
        assert.deepEqual(files([...split.train, ...split.valid]).sort(), files(pool));
        assert.deepEqual(files(split.train), files(split.train).sort());
        const lost = Math.trunc(validPct * pool.length) - split.valid.length;
        assert.equal(
          lost > 0,
          split.warnings.some((said) => said.includes('trains instead')),
        );
        if (lost > 0) moved++;
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(moved > 10, `only ${moved} splits lost a class`);
});

test('the upload’s own split holds, images of no split train, and those of test do neither', () => {
  const items = itemsOf([
    ['a', 'train'],
    ['b', null],
    ['a', 'valid'],
    ['b', 'test'],
    ['x', 'test'],
  ]);
  const split = splitItems({ items, classes: ['a', 'b'] }, { validPct: null, seed: 1 });
  assert.deepEqual(
    [files(split.train), files(split.valid), files(split.test)],
    [['0000', '0001'], ['0002'], ['0003']],
  );
  assert.match(split.warnings.join(), /1 test images are left out.*"x"/);
});

test('without a validation set a fifth validates, and test images are no part of it', () => {
  const items = itemsOf([
    ...Array.from({ length: 20 }, (_, i) => [i % 2 === 0 ? 'a' : 'b', 'train'] as const),
    ...Array.from({ length: 20 }, () => ['a', 'test'] as const),
  ]);
  const split = splitItems({ items, classes: ['a', 'b'] }, { validPct: null, seed: 1 });
  assert.deepEqual([split.train.length, split.valid.length, split.test.length], [16, 4, 20]);
});
