import { splitByRandPct } from '../../../src/training/split.ts';
import type { Report } from '../report.ts';

type Golden = {
  split_by_rand_pct?: {
    n: number;
    valid_pct: number;
    seed: number;
    valid_items_in_dataset_order: number[];
    train_items_in_dataset_order: number[];
  }[];
  pets_7390_seed2?: { first20: number[]; sum_of_first_1478: number };
};

export function dataCases(golden: Golden, report: Report): void {
  for (const it of golden.split_by_rand_pct ?? []) {
    const split = splitByRandPct(it.n, it.valid_pct, it.seed);
    const name = `split of ${it.n}, ${it.valid_pct}, seed ${it.seed}`;
    report.same(name, 'valid', split.valid, it.valid_items_in_dataset_order);
    report.same(name, 'train', split.train, it.train_items_in_dataset_order);
  }
  if (!golden.pets_7390_seed2) return;
  const { valid } = splitByRandPct(7390, 0.2, 2);
  const { first20, sum_of_first_1478 } = golden.pets_7390_seed2;
  report.same('lesson 1 pets, seed 2', 'first 20', valid.slice(0, 20), first20);
  const sum = valid.reduce((total, index) => total + index, 0);
  report.same('lesson 1 pets, seed 2', 'sum', sum, sum_of_first_1478);
}
