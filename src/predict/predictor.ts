// Predictions off the caller's thread: a pool of threads, each with models loaded in it. Nothing here loads ONNX
// Runtime or decodes an image: whoever answers HTTP imports this file.

import { problem } from '../domain/problem.ts';
import { InferenceThread } from './inference-thread.ts';
import { ModelCache } from './model-cache.ts';
import type { PredictRequest } from './request.ts';

export type Predictor = {
  /**
   * A row of probabilities per image, in the order of the model's classes.
   * @throws Problem `predictor_busy` at once where too many images wait; `image_unusable` naming each that cannot be
   * predicted
   */
  predict(request: PredictRequest): Promise<Float32Array[]>;
  close(): Promise<void>;
};

export type PredictorOptions = {
  threads: number;
  /** What ONNX Runtime computes with, in each of them. */
  coresPerThread: number;
  /** Images that wait or are being predicted at one time, of all requests. */
  imagesMax: number;
  /** Model files that are kept loaded, in bytes; what a model takes in memory is some more. */
  cacheBytes: number;
};

/** Threads begin with the first prediction that needs them. */
export function createPredictor(options: PredictorOptions): Predictor {
  const { threads, coresPerThread, imagesMax, cacheBytes } = options;
  const pool = Array.from({ length: threads }, () => new InferenceThread(coresPerThread));
  const cache = new ModelCache(cacheBytes, ({ thread, model }) => pool[thread]?.drop(model));
  let waiting = 0;

  /** The one with the least to do; of equals, one that has the model. */
  const choose = (model: string) => {
    const cost = (thread: number) =>
      2 * (pool[thread]?.waiting ?? 0) + (cache.has({ thread, model }) ? 0 : 1);
    let best = 0;
    for (let thread = 1; thread < threads; thread++) if (cost(thread) < cost(best)) best = thread;
    return best;
  };

  const predict = async ({ model, images, tta, read }: PredictRequest) => {
    const index = choose(model);
    const thread = pool[index];
    if (!thread) throw new Error('a predictor needs a thread');
    const count = images.length;
    thread.waiting += count;
    const load = async () => {
      const exported = await read();
      const bytes = exported.onnx.byteLength;
      await thread.load(model, exported);
      return bytes;
    };
    try {
      return await cache.use({ thread: index, model }, load, () => thread.run(model, images, tta));
    } finally {
      thread.waiting -= count;
    }
  };

  return {
    async predict(request) {
      const count = request.images.length;
      if (waiting + count > imagesMax) {
        throw problem('predictor_busy', `${waiting} images wait already, of ${imagesMax} at most`);
      }
      waiting += count;
      try {
        return await predict(request);
      } finally {
        waiting -= count;
      }
    },
    async close() {
      await Promise.all(pool.map((thread) => thread.close()));
    },
  };
}
