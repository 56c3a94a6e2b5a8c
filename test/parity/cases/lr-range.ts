import { evenMults, type LrSpec, lrRange } from '../../../src/training/lr-range.ts';
import type { Report } from '../report.ts';

type Lr = number | number[] | { slice: [number | null, number] };
type Golden = {
  lr_range: {
    groups: number;
    lr: Lr;
    lr_range?: number[];
    applied_per_group?: number[];
    exception?: string;
  }[];
  even_mults: { start: number; stop: number; n: number; result: number[] }[];
};

export function lrRangeCases(golden: Golden, report: Report): void {
  for (const { groups, lr, applied_per_group, exception } of golden.lr_range) {
    const name = `${JSON.stringify(lr)} over ${groups} group${groups === 1 ? '' : 's'}`;
    const given = lrSpec(lr);
    if (exception) report.same(name, 'refused', attempt(given, groups), null);
    else
      report.near(name, 'lr', attempt(given, groups) ?? [], applied_per_group ?? [], {
        rel: 1e-12,
      });
  }
  for (const { start, stop, n, result } of golden.even_mults) {
    report.near(`even_mults ${start}..${stop} by ${n}`, 'lr', evenMults(start, stop, n), result, {
      rel: 1e-12,
    });
  }
}

/** slice(None, b) and slice(0, b) of Python are slice(b). */
export function lrSpec(lr: Lr): LrSpec {
  if (typeof lr === 'number' || Array.isArray(lr)) return lr;
  const [first, last] = lr.slice;
  return first ? { slice: [first, last] } : { slice: [last] };
}

function attempt(lr: LrSpec, groups: number): number[] | null {
  try {
    return lrRange(lr, groups);
  } catch {
    return null;
  }
}
