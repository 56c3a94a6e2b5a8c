import { evenMults, type LrSpec, lrRange } from '../../../src/training/lr-range.ts';
import type { Numbers, Report } from '../report.ts';

export type Lr = number | number[] | { slice: [number | null, number] };
type Golden = {
  lr_range: {
    groups: number;
    lr: Lr;
    lr_range?: Lr;
    applied_per_group?: number[];
    exception?: string;
  }[];
  even_mults: { start: number; stop: number; n: number; result: number[] }[];
};

export async function lrRangeCases(golden: Golden, report: Report): Promise<void> {
  for (const one of golden.lr_range) {
    const { groups, lr } = one;
    const name = `${JSON.stringify(lr)} over ${groups} group${groups === 1 ? '' : 's'}`;
    await report.run(name, one, ({ lr_range, applied_per_group, exception }) => {
      const given = lrSpec(lr);
      if (exception) report.same(name, 'refused', attempt(given, groups), null);
      else {
        const rates = attempt(given, groups) ?? [];
        report.near(name, 'lr', rates, applied_per_group ?? [], { rel: 1e-12 });
        // fastai leaves a number a number
        const ranged = typeof lr_range === 'number' ? rates[0] : rates;
        report.near(name, 'lr_range', ranged ?? [], (lr_range ?? []) as Numbers, { rel: 1e-12 });
      }
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
  if (typeof lr === 'number') return lr;
  if (Array.isArray(lr)) return [...lr];
  if (!Array.isArray(lr.slice)) throw new Error(`no rate: ${JSON.stringify(lr)}`);
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
