// A training loop in a steady state: it leaks nothing, allocates nothing, and says the same thing twice.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as tf from '@tensorflow/tfjs-core';
import { newHead, parseSpec } from '../../src/domain/spec.ts';
import { Learner } from '../../src/learner/learner.ts';
import { createModel } from '../../src/models/create-model.ts';
import { stateDict } from '../../src/models/state-dict.ts';
import { keyedRandom } from '../../src/training/random.ts';
import { started } from './started.ts';

const spec = parseSpec({ dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV', pretrained: null });
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;
const precisions = ['f32', 'bf16'] as const;

/** A ResNet-18 on `batch` images of `size` pixels, and one step of it. */
function training(batch: number, size: number) {
  const model = createModel('resnet18', { classes: 3, head: newHead(spec), seed: 7 });
  const learner = new Learner(model, {
    optimizer: spec.optimizer,
    gradientClip: null,
    bnFreeze: false,
  });
  const random = keyedRandom(5, size);
  const images = Float32Array.from({ length: batch * size * size * 3 }, () => random.next());
  const targets = new Float32Array(3 * batch);
  for (let i = 0; i < batch; i++) targets[3 * i + (i % 3)] = 1;
  const hyper = { lr: [1e-3, 1e-3, 1e-3], mom: 0.9, wd: [0.01, 0.01, 0.01] };
  let step = 0;
  const shape = [batch, size, size, 3];
  const run = () =>
    learner.trainStep({ images: images.slice(), shape, targets, classes: 3 }, hyper, [step++]);
  return { model, run };
}

for (const precision of precisions) {
  describe(`training in ${precision}`, () => {
    it('500 steps leave no tensor, no memory and allocate nothing new', async (context) => {
      // one thread: two would wait for each other at every kernel while another test has a core
      const { backend, reason } = await started(precision, 1);
      if (!backend) return context.skip(reason);
      const { native } = backend;
      const { model, run } = training(4, 28);
      for (let i = 0; i < 20; i++) run();
      const { allocate } = native;
      let allocations = 0;
      native.allocate = (bytes) => {
        allocations++;
        return allocate(bytes);
      };
      const resident: number[] = [];
      const tensors = tf.memory().numTensors;
      for (let i = 0; i < 500; i++) {
        run();
        // garbage that waits for its collector is no leak
        if (i % 50 === 49) {
          collect();
          resident.push(process.memoryUsage.rss());
        }
        assert.equal(tf.memory().numTensors, tensors, `after step ${i}`);
      }
      native.allocate = allocate;
      model.dispose();
      assert.equal(allocations, 0);
      const least = (values: number[]) => Math.min(...values);
      const grown = (least(resident.slice(5)) - least(resident.slice(0, 5))) / 2 ** 20;
      assert.ok(grown < 16, `resident memory grew by ${grown.toFixed(1)} MiB`);
    });

    it('the same steps twice give the same bits', async (context) => {
      const { backend, reason } = await started(precision);
      if (!backend) return context.skip(reason);
      const once = () => {
        const { model, run } = training(8, 40);
        const losses = [run(), run(), run()];
        const weights = stateDict(model).map(({ name, values }) => ({
          name,
          values: values.slice(),
        }));
        model.dispose();
        return { losses, weights };
      };
      assert.deepEqual(once(), once());
    });
  });
}
