// Whether real clients answer what the trainer answered, on validation images of models trained through the API: the
// probabilities of every export, and each format's own checker. A client that is not on this machine is named.
// ONECYCLE_PEER_PYTHON names Pythons, separated by a colon; a Chromium is found on PATH.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startEngine } from '../src/engine/engine.ts';
import { newDataDir, Stack } from '../test/e2e/running-stack.ts';
import { askOnnx } from '../test/models/export/onnx-client.ts';
import { furthest } from '../test/models/export/trained-model.ts';
import { inWorkDir } from './data.ts';
import { digitsArchive, photosArchive } from './exports/archives.ts';
import { askBrowser } from './exports/browser.ts';
import type { Answer } from './exports/finding.ts';
import { askPredictRoute } from './exports/predict-route.ts';
import { askPython } from './exports/python.ts';
import { type Trained, train } from './exports/trained.ts';

/** In float32. */
const apartMax = 1e-3;

const fit = { type: 'fit_one_cycle', epochs: 2, max_lr: 3e-3, freeze: false };
const common = {
  pretrained: null,
  precision: 'f32',
  phases: [fit],
  // keeps the network from being sure
  optimizer: { label_smoothing: 0.3 },
  evaluation: { top_losses: 50 },
};
const cases = [
  {
    name: 'digits as they are',
    archive: digitsArchive,
    spec: { ...common, data: { batch_size: 32, normalize: 'imagenet' } },
  },
  {
    name: 'photos, cropped',
    archive: photosArchive,
    spec: {
      ...common,
      arch: 'squeezenet1_1',
      head: { lin_ftrs: [64, 32], ps: 0.25, bn_final: true },
      data: { size: 96, batch_size: 16, normalize: 'batch' },
    },
  },
];

let failed = false;
await startEngine({ engine: 'auto', precision: 'f32', threads: null });
const stack = await Stack.start(await newDataDir());
try {
  for (const { name, archive, spec } of cases) {
    await inWorkDir(async (workDir) => {
      const trained = await train(stack, workDir, { name, archive: await archive(), spec });
      show(trained.name, [
        isUndecided(trained),
        reportedByTrainer(trained),
        await askOnnxRuntime(trained),
        await askPredictRoute(stack, trained),
        ...(await askBrowser(trained)),
        ...(await askPython(trained)),
      ]);
    });
  }
} finally {
  await stack.stop();
}
process.exitCode = failed ? 1 : 0;

/** Whether there is anything to disagree on: where every answer is 0 or 1, a wrong network would pass. */
function isUndecided({ probabilities }: Trained): Answer {
  const between = probabilities.filter((p) => p > 0.01 && p < 0.99).length;
  return {
    client: `${between} of ${probabilities.length} probabilities lie between 0.01 and 0.99`,
    checked: between > 10,
  };
}

/** The probability of each image's own class, from the trainer's process. */
function reportedByTrainer({ reported, probabilities, card, shape }: Trained): Answer {
  const client = `the trainer's own report, ${reported.length} images`;
  if (reported.length !== shape[0]) return { client, checked: false };
  const said = reported.map(({ probability }) => probability);
  const own = reported.map(
    ({ index, label }) => probabilities[index * card.classes.length + label] ?? Number.NaN,
  );
  return { client, apart: furthest(said, own) };
}

async function askOnnxRuntime({ dir, images, shape, probabilities }: Trained): Promise<Answer> {
  const answer = await askOnnx(await readFile(join(dir, 'onnx/model.onnx')), images, shape);
  return { client: 'onnxruntime-node', apart: furthest(answer.probabilities, probabilities) };
}

function show(name: string, answers: Answer[]): void {
  console.log(`\n${name}: furthest from the trainer's probabilities (at most ${apartMax})`);
  for (const answer of answers) {
    if ('absent' in answer) {
      console.log(`  not here   ${answer.client}: ${answer.absent}`);
      continue;
    }
    const agrees = 'apart' in answer ? answer.apart <= apartMax : answer.checked;
    const figure = 'apart' in answer ? answer.apart.toExponential(1) : 'read';
    console.log(`  ${agrees ? 'agrees  ' : 'FAILS   '} ${figure.padStart(8)} ${answer.client}`);
    failed ||= !agrees;
  }
}
