// A case of ResNet-18 with fastai's head, ready to be run again and again: the bare step on one batch, the
// loader alone, or the two together as `fit` runs them.

import { readFile } from 'node:fs/promises';
import { setImmediate as macrotask } from 'node:timers/promises';
import * as tf from '@tensorflow/tfjs-core';
import { Manifest } from '../src/domain/dataset.ts';
import { newHead, parseSpec } from '../src/domain/spec.ts';
import { roundToBf16 } from '../src/engine/bfloat16.ts';
import { OnednnBackend } from '../src/engine/onednn/backend.ts';
import { Learner } from '../src/learner/learner.ts';
import { trainingBatch } from '../src/learner/targets.ts';
import { createModel } from '../src/models/create-model.ts';
import { keyedRandom } from '../src/training/random.ts';
import { type Batch, createLoader } from '../src/vision/loader.ts';
import { imagenetStats } from '../src/vision/normalize.ts';
import type { DataRef } from './protocol.ts';

export type RunningCase = {
  /** Seconds of each of `count` steps. */
  steps(count: number): Promise<number[]>;
  /** How many values the optimiser changes in a step. */
  trainable: number;
  close(): void;
};

export type CaseOptions = {
  batch: number;
  size: number;
  freeze: boolean;
  source: 'step' | 'loader' | 'train';
  data: DataRef | null;
};

const spec = parseSpec({
  dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  pretrained: null,
  data: { transforms: {} },
});
/** The first step describes primitives, the second still meets fresh memory. */
const warmUpSteps = 2;
/** What a loader has got ready while another contestant had its turn; not counted. */
const batchesAheadMax = 3;
/** Images in an epoch at least: an epoch's end, where the loader runs dry, should be rare. */
const itemsMin = 4096;

/** Opens a case and warms it up. */
export async function openCase(options: CaseOptions): Promise<RunningCase> {
  const { source } = options;
  const data = source === 'step' ? null : await openLoader(options);
  const step = source === 'loader' ? null : openStep(options, data?.classes ?? 2);
  const run = async (count: number): Promise<number[]> => {
    const seconds: number[] = [];
    const uncounted = data ? batchesAheadMax : 0;
    for (let i = -uncounted; i < count; i++) {
      const begun = performance.now();
      const loaded = await data?.next();
      step?.run(loaded ?? step.stillBatch());
      if (loaded) data?.recycle(loaded);
      // the step keeps the thread: between two of them the loader's callbacks run, as in `fit`
      await macrotask();
      if (i >= 0) seconds.push((performance.now() - begun) / 1000);
    }
    return seconds;
  };
  await run(warmUpSteps);
  return {
    steps: run,
    trainable: step?.trainable ?? 0,
    close() {
      step?.dispose();
      data?.close();
    },
  };
}

type Loaded = Pick<Batch, 'images' | 'shape' | 'labels'>;

function openStep({ batch, size, freeze }: CaseOptions, classes: number) {
  const model = createModel('resnet18', { classes, head: newHead(spec), seed: 1 });
  const learner = new Learner(model, {
    optimizer: spec.optimizer,
    gradientClip: null,
    bnFreeze: false,
  });
  learner.applyFreeze(freeze);
  const random = keyedRandom(batch, size);
  const floats = Float32Array.from({ length: batch * size * size * 3 }, () => random.next());
  const images = storage() === 'bf16' ? new Uint16Array(floats.length) : floats;
  if (images instanceof Uint16Array) roundToBf16(floats, images);
  const labels = Int32Array.from({ length: batch }, (_, i) => i % classes);
  const hyper = { lr: [1e-4, 1e-4, 1e-4], mom: 0.9, wd: [0.01, 0.01, 0.01] };
  let count = 0;
  return {
    stillBatch: (): Loaded => ({ images, shape: [batch, size, size, 3], labels }),
    run(loaded: Loaded) {
      const key = [count++];
      learner.trainStep(trainingBatch(loaded, classes, spec.optimizer, key), hyper, key);
    },
    trainable: learner.trainable.reduce((sum, { variable }) => sum + variable.size, 0),
    dispose: () => model.dispose(),
  };
}

/** How the engine stores images, and so how a loader hands them over. */
function storage(): 'f32' | 'bf16' {
  const backend = tf.backend() as unknown;
  return backend instanceof OnednnBackend ? backend.precision : 'f32';
}

async function openLoader({ batch, size, data }: CaseOptions) {
  if (!data) throw new Error('a loader needs data');
  const manifest = Manifest.parse(JSON.parse(await readFile(data.manifestPath, 'utf8')));
  const own = manifest.items.filter(({ split }) => split !== 'valid');
  const repeats = Math.ceil(itemsMin / own.length);
  const loader = createLoader({
    items: Array.from({ length: repeats }, () => own).flat(),
    imagesPath: data.imagesPath,
    classes: manifest.classes,
    size,
    resizeMethod: spec.data.resize_method,
    paddingMode: spec.data.padding_mode,
    transforms: data.augment ? spec.data.transforms : null,
    train: true,
    batchSize: batch,
    normalize: imagenetStats,
    storage: storage(),
    seed: 42,
    shuffle: true,
    dropLast: true,
  });
  const endless = (async function* () {
    for (let epoch = 0; ; epoch++) yield* loader.batches(epoch);
  })();
  return {
    classes: manifest.classes.length,
    next: async (): Promise<Batch> => (await endless.next()).value,
    recycle: (batch: Batch) => loader.recycle(batch),
    close: () => loader.close(),
  };
}
