// Whole training steps of ResNet-18: images per second, medians of interleaved rounds. The referee `js` runs
// one small step for the ratio; `--json` adds one line of JSON at the end.

import { cpus } from 'node:os';
import { parseSpec } from '../src/domain/spec.ts';
import { startEngine } from '../src/engine/engine.ts';
import { Learner } from '../src/learner/learner.ts';
import { keyedRandom } from '../src/training/random.ts';
import { createModel } from '../src/vision/create-model.ts';

type Row = {
  case: string;
  batch: number;
  size: number;
  precision: string;
  images_per_second: number;
};

const rounds = 5;
const spec = parseSpec({ dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV', pretrained: null });

/** A step of the given shape, ready to be run again and again. */
function stepOf(batch: number, size: number, freeze: boolean) {
  const model = createModel('resnet18', { classes: 2, head: spec.head, seed: 1 });
  const learner = new Learner(model, {
    optimizer: spec.optimizer,
    gradientClip: null,
    bnFreeze: false,
  });
  learner.applyFreeze(freeze);
  const random = keyedRandom(batch, size);
  const images = Float32Array.from({ length: batch * size * size * 3 }, () => random.next());
  const targets = Float32Array.from({ length: 2 * batch }, (_, i) => i % 2);
  const hyper = { lr: [1e-4, 1e-4, 1e-4], mom: 0.9, wd: [0.01, 0.01, 0.01] };
  let count = 0;
  return {
    run: () =>
      learner.trainStep(
        { images: images.slice(), shape: [batch, size, size, 3], targets, classes: 2 },
        hyper,
        [count++],
      ),
    dispose: () => model.dispose(),
  };
}

function secondsOf(run: () => void): number {
  const begun = performance.now();
  run();
  return (performance.now() - begun) / 1000;
}

const median = (values: number[]) =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
const rows: Row[] = [];

const precision = process.argv.includes('--bf16') ? 'bf16' : 'f32';
const engine = await startEngine({ engine: 'onednn', precision, threads: null });
const machine = `${cpus()[0]?.model ?? 'unknown CPU'}, ${engine.threads} threads, ${engine.name} ${engine.version} ${engine.isa}`;
console.log(machine);
const shapes = [
  { batch: 64, size: 28, freeze: true },
  { batch: 64, size: 28, freeze: false },
  { batch: 32, size: 224, freeze: true },
  { batch: 32, size: 224, freeze: false },
];
const steps = shapes.map(({ batch, size, freeze }) => ({
  batch,
  size,
  freeze,
  ...stepOf(batch, size, freeze),
  seconds: [] as number[],
}));
for (const { run } of steps) run();
for (let round = 0; round < rounds; round++)
  for (const step of steps) step.seconds.push(secondsOf(step.run));
for (const { batch, size, freeze, seconds, dispose } of steps) {
  rows.push({
    case: freeze ? 'frozen' : 'unfrozen',
    batch,
    size,
    precision: engine.precision,
    images_per_second: batch / median(seconds),
  });
  dispose();
}
await startEngine({ engine: 'js', precision: 'f32', threads: null });
const referee = stepOf(4, 28, false);
rows.push({
  case: 'unfrozen, engine js',
  batch: 4,
  size: 28,
  precision: 'f32',
  images_per_second: 4 / secondsOf(referee.run),
});
referee.dispose();

for (const row of rows) {
  console.log(
    `${row.case.padEnd(22)} ${`${row.size} px`.padEnd(8)} batch ${String(row.batch).padEnd(4)} ${row.precision}  ${row.images_per_second.toFixed(1).padStart(8)} images/s`,
  );
}
if (process.argv.includes('--json')) console.log(JSON.stringify({ machine, rows }));
