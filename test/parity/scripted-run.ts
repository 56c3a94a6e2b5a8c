// A run of the learner without files: a journal that keeps silent, loaders over arrays.

import { parseSpec, type Spec } from '../../src/domain/spec.ts';
import { newHistory } from '../../src/learner/history.ts';
import type { Journal } from '../../src/learner/journal.ts';
import type { Learner } from '../../src/learner/learner.ts';
import { phaseStart, type Run } from '../../src/learner/run-state.ts';
import type { Batch, Loader } from '../../src/vision/loader.ts';

export const silentJournal: Journal = {
  event() {},
  async artifact() {},
  async checkpoint() {},
  async modelFile() {},
};

export function specOf(body: Record<string, unknown>): Spec {
  return parseSpec({ dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV', pretrained: null, ...body });
}

export function runOf(learner: Learner, spec: Spec, classes: string[]): Run {
  return {
    spec,
    learner,
    journal: silentJournal,
    signal: new AbortController().signal,
    engine: { name: 'js', version: '', isa: '', precision: 'f32', threads: 1 },
    classes,
    train: [],
    valid: [],
    imagesPath: '',
    normalize: null,
    history: newHistory(),
    position: phaseStart(0),
    best: null,
    savedAt: Date.now(),
  };
}

/** The same batches every epoch, in order. */
export function loaderOf(batches: Batch[], size: number): Loader {
  return {
    batchesPerEpoch: batches.length,
    imageSize: [size, size],
    async *batches(_epoch, options) {
      yield* batches.slice(options?.startStep ?? 0);
    },
    recycle() {},
    close() {},
  };
}
