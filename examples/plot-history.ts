// Draws a job's history.json (GET /v1/jobs/{id}/artifacts/history.json): the losses, and what the schedule
// did. `node --import tsx examples/plot-history.ts history.json docs/images`

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { History } from '../src/learner/history.ts';
import { type Curve, lineChart } from './line-chart.ts';

const [path, out] = process.argv.slice(2);
if (!path || !out) throw new Error('expected history.json and a folder for the plots');
const { rows, steps }: History = JSON.parse(readFileSync(path, 'utf8'));

const ends = rows.map(({ phase, epoch }) =>
  steps.findLastIndex((step) => step.phase === phase && step.epoch === epoch),
);
const curve = (name: string, value: (step: History['steps'][number]) => number): Curve => ({
  name,
  points: steps.map((step, i) => [i, value(step)]),
});
const charts = {
  'losses.svg': {
    title: 'Loss of the training and validation set',
    y: 'Loss',
    curves: [
      curve('train, smoothed', (step) => step.smooth_loss),
      {
        name: 'valid',
        points: rows.map((row, i): [number, number] => [
          ends[i] ?? 0,
          row.valid_loss ?? Number.NaN,
        ]),
      },
    ],
  },
  'rates.svg': {
    title: 'Learning rate of the head',
    y: 'Learning rate',
    curves: [curve('lr', (step) => step.lr)],
  },
  'momentum.svg': { title: 'Momentum', y: 'Momentum', curves: [curve('mom', (step) => step.mom)] },
};
for (const [file, chart] of Object.entries(charts)) {
  writeFileSync(join(out, file), lineChart({ ...chart, x: 'Step' }));
}
