// The sine-and-polynomial experiment: ten noisy points of a sine, polynomials of degree 1, 3 and 9, with and
// without a penalty on the coefficients, fitted by the optimiser that trains the networks. Prints the tables
// of docs/weight-decay.md and draws its plots: `node --import tsx examples/weight-decay.ts docs/images`.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { adamwStep, corrections } from '../src/training/adamw.ts';
import { annealCos } from '../src/training/annealing.ts';
import { keyedRandom } from '../src/training/random.ts';
import { lineChart } from './line-chart.ts';

const steps = 400_000;
const noise = 0.2;
const wds = [0, 1e-3];

const random = keyedRandom(2024);
const sine = (x: number) => Math.sin(Math.PI * x);
const xs = Array.from({ length: 10 }, (_, i) => -1 + (2 * i) / 9);
const ys = xs.map((x) => sine(x) + noise * random.normal());
const grid = Array.from({ length: 201 }, (_, i) => -1 + i / 100);

/** Coefficients w0..wd that minimise the mean squared error plus wd/2 * |w|^2 (L2 in Adam's gradient). */
function fitPolynomial(degree: number, wd: number): Float64Array {
  const p = new Float64Array(degree + 1);
  const [g, m, v] = [0, 1, 2].map(() => new Float64Array(degree + 1)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  const powers = xs.map((x) => Array.from(p, (_, k) => x ** k));
  for (let t = 1; t <= steps; t++) {
    g.fill(0);
    powers.forEach((row, i) => {
      const error = row.reduce((sum, power, k) => sum + power * (p[k] ?? 0), 0) - (ys[i] ?? 0);
      row.forEach((power, k) => {
        g[k] = (g[k] ?? 0) + (2 * error * power) / xs.length;
      });
    });
    const lr = annealCos(0.05, 1e-6, t / steps);
    const step = {
      lr,
      beta1: 0.9,
      beta2: 0.99,
      eps: 1e-8,
      wd,
      trueWd: false,
      ...corrections(t, 0.9, 0.99),
    };
    adamwStep(step, { p, g, m, v });
  }
  return p;
}

const at = (w: Float64Array, x: number) => w.reduce((sum, value, k) => sum + value * x ** k, 0);
const rms = (w: Float64Array, points: number[], truth: (x: number, i: number) => number) =>
  Math.sqrt(points.reduce((sum, x, i) => sum + (at(w, x) - truth(x, i)) ** 2, 0) / points.length);

const out = process.argv[2];
const fits = wds.flatMap((wd) =>
  [1, 3, 9].map((degree) => ({ degree, wd, w: fitPolynomial(degree, wd) })),
);
console.log(
  '| degree | wd | error on the 10 points | error against the sine | largest coefficient |',
);
console.log('|---|---|---|---|---|');
for (const { degree, wd, w } of fits) {
  const largest = Math.max(...w.map(Math.abs));
  console.log(
    `| ${degree} | ${wd} | ${rms(w, xs, (_, i) => ys[i] ?? 0).toFixed(3)} | ${rms(w, grid, sine).toFixed(3)} | ${largest.toFixed(2)} |`,
  );
}
console.log(`\n| | ${fits.map(({ degree, wd }) => `degree ${degree}, wd ${wd}`).join(' | ')} |`);
console.log(`|---|${fits.map(() => '---').join('|')}|`);
for (let k = 0; k <= 9; k++) {
  console.log(
    `| w${k} | ${fits.map(({ w }) => (k < w.length ? (w[k] ?? 0).toFixed(2) : '')).join(' | ')} |`,
  );
}
if (out) {
  mkdirSync(out, { recursive: true });
  for (const wd of wds) {
    const svg = lineChart({
      title: wd === 0 ? 'Without weight decay' : `With weight decay ${wd}`,
      x: 'x',
      y: 'y',
      yRange: [-2, 2],
      curves: [
        { name: 'data', points: xs.map((x, i) => [x, ys[i] ?? 0]), dots: true },
        { name: 'sine', points: grid.map((x) => [x, sine(x)]), dashed: true },
        ...fits
          .filter((fit) => fit.wd === wd)
          .map(({ degree, w }) => ({
            name: `degree ${degree}`,
            points: grid.map((x): [number, number] => [x, at(w, x)]),
          })),
      ],
    });
    writeFileSync(join(out, wd === 0 ? 'polynomials.svg' : 'polynomials-wd.svg'), svg);
  }
}
