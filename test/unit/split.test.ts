import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { NumpyRandom } from '../../src/training/random.ts';
import { splitByRandPct } from '../../src/training/split.ts';

type Case = {
  n: number;
  valid_pct: number;
  seed: number;
  permutation: number[];
  valid_items_in_dataset_order: number[];
  train_items_in_dataset_order: number[];
};
const golden: {
  split_by_rand_pct: Case[];
  pets_7390_seed2: { first20: number[]; sum_of_first_1478: number };
} = JSON.parse(readFileSync(new URL('../fixtures/golden/data.json', import.meta.url), 'utf8'));

for (const { n, valid_pct, seed, ...expected } of golden.split_by_rand_pct) {
  test(`the split of ${n} items, ${valid_pct}, seed ${seed} is fastai's`, () => {
    assert.deepEqual([...new NumpyRandom(seed).permutation(n)], expected.permutation);
    const { train, valid } = splitByRandPct(n, valid_pct, seed);
    assert.deepEqual(valid, expected.valid_items_in_dataset_order);
    assert.deepEqual(train, expected.train_items_in_dataset_order);
  });
}

test("the split of lesson 1's pets is fastai's, beyond the generator's first 624 words", () => {
  const { valid } = splitByRandPct(7390, 0.2, 2);
  assert.equal(valid.length, 1478);
  assert.deepEqual(valid.slice(0, 20), golden.pets_7390_seed2.first20);
  assert.equal(
    valid.reduce((sum, index) => sum + index, 0),
    golden.pets_7390_seed2.sum_of_first_1478,
  );
});
