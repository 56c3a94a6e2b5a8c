import * as tf from '@tensorflow/tfjs-core';
import type { Arch } from '../../../src/domain/arch.ts';
import { readValues, tensorOf } from '../../../src/engine/storage.ts';
import { createModel } from '../../../src/models/create-model.ts';
import type { HeadOptions } from '../../../src/models/head.ts';
import { evalMode, type Model } from '../../../src/models/model.ts';
import { loadStateDict } from '../../../src/models/state-dict.ts';
import { keyedRandom } from '../../../src/training/random.ts';

/** A model whose batch norms and biases are what training leaves, not what a new model has. */
export function trainedModel(arch: Arch, classes: number, head: HeadOptions): Model {
  const model = createModel(arch, { classes, head, seed: 3 });
  const learnt = [...model.parameters, ...model.buffers].filter(
    ({ name }, place) => place > 0 && !isFilterOrMatrix(model, name),
  );
  loadStateDict(model, (name) => {
    const index = learnt.findIndex((part) => part.name === name);
    const size = learnt[index]?.variable.size;
    if (size === undefined) return undefined;
    const random = keyedRandom(17, index);
    const around = name.endsWith('weight') || name.endsWith('running_var') ? 0.9 : -0.1;
    // some features of the head hardly vary: what is added to a variance counts there
    const scaleOf = (i: number) => (/^1\..*var$/.test(name) && i % 8 === 0 ? 1e-3 : 1);
    return Float32Array.from(
      { length: size },
      (_, i) => scaleOf(i) * (around + 0.4 * (random.next() - 0.5)),
    );
  });
  return model;
}

function isFilterOrMatrix(model: Model, name: string): boolean {
  const role = model.parameters.find((parameter) => parameter.name === name)?.role;
  return role === 'filter' || role === 'linear';
}

/** [N,H,W,3], about as normalised images are. */
export function someImages(shape: [number, number, number, number]): Float32Array {
  const random = keyedRandom(23, ...shape);
  return Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.normal());
}

/** What the engine in use says: logits and probabilities, [N,C] each. */
export function ownAnswer(model: Model, images: Float32Array, shape: number[]) {
  return tf.tidy(() => {
    const x = tensorOf<tf.Rank.R4>(images.slice(), shape);
    const logits = Float32Array.from(readValues(model.forward(x, evalMode)));
    return { logits, probabilities: softmaxRows(logits, logits.length / (shape[0] ?? 1)) };
  });
}

function softmaxRows(logits: Float32Array, classes: number): Float32Array {
  const result = new Float32Array(logits.length);
  for (let row = 0; row < logits.length; row += classes) {
    const scores = logits.subarray(row, row + classes);
    const top = Math.max(...scores);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
    scores.forEach((score, c) => {
      result[row + c] = Math.exp(score - top) / total;
    });
  }
  return result;
}

/** [N,H,W,C] -> [N,C,H,W]. */
export function channelsFirst(
  images: Float32Array,
  [n, h, w, c]: [number, number, number, number],
) {
  const result = new Float32Array(images.length);
  for (let image = 0; image < n; image++) {
    for (let pixel = 0; pixel < h * w; pixel++) {
      for (let channel = 0; channel < c; channel++) {
        result[(image * c + channel) * h * w + pixel] =
          images[(image * h * w + pixel) * c + channel] ?? 0;
      }
    }
  }
  return result;
}

/** The largest distance between two lists of the same length. */
export function furthest(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length || a.length === 0) return Number.POSITIVE_INFINITY;
  return Math.max(...Array.from(a, (value, i) => Math.abs(value - (b[i] ?? Number.NaN))));
}
