// Grad-CAM (Selvaraju 2016, arXiv:1610.02391) as fastai's plot_top_losses draws it: of the body's last
// activations, weighted by the mean gradient of one class's score, what speaks for the class.

import * as tf from '@tensorflow/tfjs-core';
import { ownGradients } from '../engine/ops/shared-gradient.ts';
import { readValues, type Stored, tensorOf } from '../engine/storage.ts';
import { evalMode, type Model } from '../models/model.ts';

/** Row-major, not negative, in the units of the score. */
export type HeatMap = { height: number; width: number; values: Float32Array };

/**
 * relu(sum over channels of mean(d score / d activation) * activation): one map for each image of [N,H,W,3],
 * of the score of its class in `labels`.
 */
export function gradCam(
  model: Model,
  { images, shape }: { images: Stored; shape: number[] },
  { labels, classes }: { labels: ArrayLike<number>; classes: number },
): HeatMap[] {
  return tf.tidy(() => {
    const activations = model.body(tensorOf<tf.Rank.R4>(images, shape), evalMode);
    const [n = 0, height = 0, width = 0, channels = 0] = activations.shape;
    const chosen = new Float32Array(n * classes);
    for (let image = 0; image < n; image++) chosen[image * classes + (labels[image] ?? 0)] = 1;
    // evaluation mode keeps images apart: one backward pass has the gradient of each one's own score
    const scores = (x: tf.Tensor) => model.head(x as tf.Tensor4D, evalMode) as tf.Tensor;
    const gradient = ownGradients(() =>
      tf.grad(scores)(activations, tensorOf<tf.Rank.R2>(chosen, [n, classes])),
    );
    const [values, slopes] = [readValues(activations), readValues(gradient)];
    const size = height * width * channels;
    return Array.from({ length: n }, (_, image) => {
      const own = [image * size, (image + 1) * size] as const;
      const heat = weighted(values.subarray(...own), slopes.subarray(...own), channels);
      return { height, width, values: heat };
    });
  });
}

/** [cells,channels] activations and their gradients -> [cells]. */
function weighted(
  values: ArrayLike<number>,
  slopes: ArrayLike<number>,
  channels: number,
): Float32Array {
  const cells = values.length / channels;
  const weights = new Float64Array(channels);
  for (let i = 0; i < slopes.length; i++) {
    weights[i % channels] = (weights[i % channels] ?? 0) + (slopes[i] ?? 0) / cells;
  }
  return Float32Array.from({ length: cells }, (_, cell) => {
    let sum = 0;
    for (let c = 0; c < channels; c++)
      sum += (weights[c] ?? 0) * (values[cell * channels + c] ?? 0);
    return Math.max(0, sum);
  });
}
