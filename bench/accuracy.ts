// Whether bfloat16 learns what float32 learns: validation accuracy of the recipe in both precisions, mean of some
// seeds, on MNIST_SAMPLE from random weights and on photos behind a pretrained body.

import type { Manifest } from '../src/domain/dataset.ts';
import type { EngineInfo } from '../src/domain/event.ts';
import { parseSpec } from '../src/domain/spec.ts';
import { startEngine } from '../src/engine/engine.ts';
import type { Journal } from '../src/learner/journal.ts';
import { runPipeline } from '../src/learner/pipeline.ts';
import { testData } from '../test/fixtures/test-data.ts';
import { type BenchData, inWorkDir, mnistSample, photos } from './data.ts';
import { machineName } from './machine.ts';
import { benchOptions } from './options.ts';
import { printTable } from './table.ts';

type Task = { name: string; spec: object; data: BenchData; body: string | null };
/** `accuracy` is the mean of what each seed reached. */
type AccuracyRow = { case: string; precision: string; accuracy: number; reached: number[] };

const { json, quick, rounds: seeds, threads } = benchOptions({ rounds: 3 });
const itemsMax = quick ? 256 : null;
const dataset = 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV';

// bfloat16 where the CPU multiplies it
const { precision: best } = await startEngine({ engine: 'onednn', precision: 'auto', threads });
const precisions = best === 'bf16' ? (['f32', 'bf16'] as const) : (['f32'] as const);

const rows = await inWorkDir(async (workDir) => {
  const body = testData('weights/resnet18-imagenet-standin.safetensors');
  const digits = await mnistSample(workDir, { itemsMax });
  const tasks: Task[] = [
    { name: 'MNIST_SAMPLE, random weights', spec: { pretrained: null }, data: digits, body: null },
  ];
  if (body && !quick) {
    const fit = { type: 'fit_one_cycle' };
    const spec = {
      data: { size: 224, batch_size: 16, transforms: {} },
      phases: [
        { ...fit, epochs: 1, max_lr: 3e-3, freeze: true },
        { ...fit, epochs: 3, max_lr: { slice: [1e-5, 1e-3] }, freeze: false },
      ],
    };
    const data = await photos(workDir, { made: null });
    tasks.push({ name: `${data.name}, pretrained body`, spec, data, body });
  }
  const all: AccuracyRow[] = [];
  for (const task of tasks) {
    for (const precision of precisions) {
      const engine = await startEngine({ engine: 'onednn', precision, threads });
      const found: number[] = [];
      for (let seed = 1; seed <= seeds; seed++) found.push(await accuracyOf(task, seed, engine));
      const accuracy = found.reduce((sum, value) => sum + value, 0) / found.length;
      all.push({ case: task.name, precision, accuracy, reached: found });
    }
  }
  return all;
});
const machine = machineName();
console.log(machine);
printTable(
  { machine, rows },
  {
    'validation accuracy': (row) => row.case,
    precision: (row) => row.precision,
    mean: (row) => row.accuracy.toFixed(4),
    seeds: (row) => row.reached.map((value) => value.toFixed(4)).join(' '),
  },
  { json },
);

/** The accuracy of the last row of the table that fastai prints. */
async function accuracyOf({ spec, data, body }: Task, seed: number, engine: EngineInfo) {
  let accuracy = Number.NaN;
  const journal: Journal = {
    event(event) {
      if (event.type === 'epoch.finished') accuracy = event.row.metrics.accuracy ?? Number.NaN;
    },
    async artifact() {},
    async checkpoint() {},
    async modelFile() {},
  };
  const manifest: Manifest = data.manifest;
  const input = {
    spec: parseSpec({ dataset, seed, ...spec }),
    manifest,
    imagesPath: data.imagesPath,
    pretrained:
      body === null ? null : { path: body, name: 'pretrained', normalize: null, kept: null },
    checkpointPath: null,
    attempt: 1,
    engine,
    jobId: '',
    codeVersion: '',
  };
  const end = await runPipeline(input, journal, { signal: new AbortController().signal });
  if (end.outcome !== 'finished') throw new Error(`the run ended as ${end.outcome}`);
  return accuracy;
}
