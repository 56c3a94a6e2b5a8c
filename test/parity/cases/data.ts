import { NumpyRandom } from '../../../src/training/random.ts';
import { splitByRandPct } from '../../../src/training/split.ts';
import type { Report } from '../report.ts';
import { leaveOut } from '../watched.ts';

type Golden = {
  split_by_rand_pct?: {
    n: number;
    valid_pct: number;
    seed: number;
    permutation: number[];
    valid_items_sorted: number[];
    n_valid: number;
    valid_items_in_dataset_order: number[];
    train_items_in_dataset_order: number[];
  }[];
  class_sorting?: { example: string[] };
  pets_7390_seed2?: { first20: number[]; sum_of_first_1478: number };
};

export async function dataCases(golden: Golden, report: Report): Promise<void> {
  for (const given of golden.split_by_rand_pct ?? []) {
    const { n, valid_pct, seed } = given;
    const name = `split of ${n}, ${valid_pct}, seed ${seed}`;
    await report.run(name, given, (it) => {
      const split = splitByRandPct(n, valid_pct, seed);
      const order = [...new NumpyRandom(seed).permutation(n)];
      report.same(name, 'permutation', order.slice(0, it.permutation.length), it.permutation);
      report.same(name, 'how many', split.valid.length, it.n_valid);
      const sorted = split.valid.toSorted((a, b) => a - b);
      report.same(
        name,
        'sorted',
        sorted.slice(0, it.valid_items_sorted.length),
        it.valid_items_sorted,
      );
      report.same(name, 'valid', split.valid, it.valid_items_in_dataset_order);
      report.same(name, 'train', split.train, it.train_items_in_dataset_order);
    });
  }
  const classes = golden.class_sorting?.example;
  if (classes) report.same('classes', 'order', classes.toSorted(byCodePoint), classes);
  // of files and a model that the folder does not hold
  leaveOut(golden, ['databunch_on_mini_mnist', 'open_image_gray_png', 'predict_export']);
  if (!golden.pets_7390_seed2) return;
  const { valid } = splitByRandPct(7390, 0.2, 2);
  const { first20, sum_of_first_1478 } = golden.pets_7390_seed2;
  report.same('lesson 1 pets, seed 2', 'first 20', valid.slice(0, 20), first20);
  const sum = valid.reduce((total, index) => total + index, 0);
  report.same('lesson 1 pets, seed 2', 'sum', sum, sum_of_first_1478);
}

function byCodePoint(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
