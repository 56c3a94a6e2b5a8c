import {
  newSmoothing,
  type Smoothing,
  smooth,
  smoothDouble,
} from '../../../src/training/smoothing.ts';
import type { Report } from '../report.ts';

type Golden = {
  series: Record<
    string,
    { raw: number[]; beta: Record<string, { float32_as_fastai: number[]; float64: number[] }> }
  >;
};

export async function smoothingCases(golden: Golden, report: Report): Promise<void> {
  for (const [name, { raw, beta }] of Object.entries(golden.series)) {
    for (const [b, given] of Object.entries(beta)) {
      const label = `${name}, beta ${b}`;
      await report.run(label, given, (expected) => {
        report.sameFloats(
          label,
          'float32',
          series(raw, Number(b), smooth),
          expected.float32_as_fastai,
        );
        report.near(label, 'float64', series(raw, Number(b), smoothDouble), expected.float64, {
          rel: 1e-12,
        });
      });
    }
  }
}

function series(raw: number[], beta: number, fold: typeof smooth): number[] {
  let state: Smoothing = newSmoothing;
  return raw.map((loss) => {
    state = fold(state, loss, beta);
    return state.value;
  });
}
