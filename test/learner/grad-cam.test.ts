// Grad-CAM against finite differences on the referee in double precision, and on data whose answer is known.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { newHead } from '../../src/domain/spec.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { readValues, tensorOf } from '../../src/engine/storage.ts';
import { gradCam, type HeatMap } from '../../src/learner/grad-cam.ts';
import { Learner } from '../../src/learner/learner.ts';
import { targetsOf } from '../../src/learner/targets.ts';
import { createModel } from '../../src/models/create-model.ts';
import { evalMode } from '../../src/models/model.ts';
import { keyedRandom } from '../../src/training/random.ts';
import { specOf } from '../parity/scripted-run.ts';
import { tinyModel } from '../parity/tiny-model.ts';

after(() => startEngine({ engine: 'js', precision: 'f32', threads: 1 }));

const head = newHead(specOf({}));

function noise(length: number, seed: number): Float32Array {
  const random = keyedRandom(seed);
  return Float32Array.from({ length }, () => random.next());
}

test('the map is what finite differences of the class’s score say', async () => {
  await startEngine({ engine: 'js', precision: 'f64', threads: 1 });
  const model = tinyModel();
  const shape = [2, 32, 32, 3];
  const images = Float64Array.from(noise(2 * 32 * 32 * 3, 4));
  const labels = [2, 0];
  const maps = gradCam(model, { images, shape }, { labels, classes: 3 });
  const body = model.body(tensorOf<tf.Rank.R4>(images, shape), evalMode);
  const [acts, actShape] = [readValues(body), body.shape];
  const score = (values: Float64Array, image: number): number => {
    const logits = model.head(tensorOf<tf.Rank.R4>(values, actShape), evalMode);
    return readValues(logits)[image * 3 + (labels[image] ?? 0)] ?? Number.NaN;
  };
  const [, h = 0, w = 0, channels = 0] = actShape;
  assert.deepEqual([h, w, channels], [4, 4, 8]);
  let warm = 0;
  maps.forEach((map, image) => {
    const expected = new Float64Array(h * w);
    const at = (cell: number, c: number) => (image * h * w + cell) * channels + c;
    for (let c = 0; c < channels; c++) {
      let slope = 0;
      for (let cell = 0; cell < h * w; cell++) {
        const [up, down] = [Float64Array.from(acts), Float64Array.from(acts)];
        const step = 1e-6;
        up[at(cell, c)]! += step;
        down[at(cell, c)]! -= step;
        slope += (score(up, image) - score(down, image)) / (2 * step) / (h * w);
      }
      for (let cell = 0; cell < h * w; cell++) expected[cell]! += slope * acts[at(cell, c)]!;
    }
    expected.forEach((value, cell) => {
      const got = map.values[cell] ?? Number.NaN;
      assert.ok(Math.abs(got - Math.max(0, value)) < 1e-5, `cell ${cell}: ${got}, not ${value}`);
      if (got > 0) warm++;
    });
  });
  assert.ok(warm > 0 && warm < 2 * h * w, 'some cells are warm, some are cold');
  model.dispose();
});

const size = 64;
const side = 12;
/** How far a cell of the tiny model sees from its middle. */
const sight = 7;

/** Grey noise with a square anywhere; its colour is the class. */
function squares(count: number, seed: number) {
  const random = keyedRandom(seed);
  const images = new Float32Array(count * size * size * 3);
  const labels: number[] = [];
  const places: [y: number, x: number][] = [];
  for (let n = 0; n < count; n++) {
    const label = random.below(3);
    const [y, x] = [random.below(size - side), random.below(size - side)];
    for (let i = 0; i < size * size; i++) {
      const grey = 0.6 * random.next() - 0.3;
      const [row, column] = [Math.floor(i / size), i % size];
      const inside = row >= y && row < y + side && column >= x && column < x + side;
      for (let c = 0; c < 3; c++) {
        images[(n * size * size + i) * 3 + c] = inside ? (c === label ? 1.5 : -0.5) : grey;
      }
    }
    labels.push(label);
    places.push([y, x]);
  }
  return { images, shape: [count, size, size, 3], labels, places };
}

/** How often the warmest cell sees the square. */
function hits(maps: HeatMap[], places: [y: number, x: number][]): number {
  return maps.filter(({ height, width, values }, i) => {
    const peak = values.indexOf(Math.max(...values));
    const cell = size / height;
    const [py, px] = [(Math.floor(peak / width) + 0.5) * cell, ((peak % width) + 0.5) * cell];
    const [y = 0, x = 0] = places[i] ?? [];
    const sees = (p: number, from: number) => p >= from - sight && p < from + side + sight;
    return sees(py, y) && sees(px, x);
  }).length;
}

for (const [engine, precision] of [
  ['js', 'f32'],
  ['onednn', 'f32'],
  ['onednn', 'bf16'],
] as const) {
  test(`the map points at the square whose colour is the class: ${engine} in ${precision}`, async (t) => {
    try {
      await startEngine({ engine, precision, threads: null });
      await startEngine({ engine, precision: 'f32', threads: null });
    } catch (error) {
      t.skip((error as Error).message);
      return;
    }
    const model = tinyModel();
    const learner = new Learner(model, {
      optimizer: specOf({}).optimizer,
      gradientClip: null,
      bnFreeze: false,
    });
    for (let step = 0; step < 120; step++) {
      const { images, shape, labels } = squares(16, 1000 + step);
      const batch = { images, shape, targets: targetsOf(labels, 3, null), classes: 3 };
      learner.trainStep(batch, { lr: [1e-2, 1e-2, 1e-2], mom: 0.9, wd: [0, 0, 0] }, [step]);
    }
    const { images, shape, labels, places } = squares(60, 7);
    const logits = learner.predict(images, shape);
    const right = labels.filter((label, i) => {
      const own = [...logits.subarray(3 * i, 3 * i + 3)];
      return own.indexOf(Math.max(...own)) === label;
    });
    assert.ok(right.length >= 57, `the model has learnt: ${right.length} of 60`);
    await startEngine({ engine, precision, threads: null });
    const found = hits(gradCam(model, { images, shape }, { labels, classes: 3 }), places);
    // (12 + 2 * 7)^2 of 64^2 pixels: chance has 10 of 60
    assert.ok(found >= 54, `the warmest cell sees the square in ${found} of 60`);
    model.dispose();
  });
}

for (const [arch, cells] of [
  ['resnet18', 7],
  ['resnet50', 7],
  ['squeezenet1_1', 13],
] as const) {
  test(`${arch} at 224 px has a map of ${cells} x ${cells}, and nothing stays in memory`, async (t) => {
    try {
      await startEngine({ engine: 'onednn', precision: 'auto', threads: null });
    } catch (error) {
      t.skip((error as Error).message);
      return;
    }
    const model = createModel(arch, { classes: 3, head, seed: 3 });
    const before = tf.memory().numTensors;
    const one = noise(224 * 224 * 3, 5);
    const images = Float32Array.from(
      { length: 3 * one.length },
      (_, i) => one[i % one.length] ?? 0,
    );
    const maps = gradCam(
      model,
      { images, shape: [3, 224, 224, 3] },
      { labels: [0, 1, 2], classes: 3 },
    );
    for (const { height, width } of maps) assert.deepEqual([height, width], [cells, cells]);
    // what speaks against one class of a random head speaks for another
    assert.ok(maps.some(({ values }) => values.some((value) => value > 0)));
    assert.equal(tf.memory().numTensors, before);
    model.dispose();
  });
}

test('a small image through a whole ResNet on the referee has a map too', async () => {
  await startEngine({ engine: 'js', precision: 'f32', threads: 1 });
  const model = createModel('resnet18', { classes: 2, head, seed: 3 });
  const [map] = gradCam(
    model,
    { images: noise(32 * 32 * 3, 6), shape: [1, 32, 32, 3] },
    { labels: [1], classes: 2 },
  );
  assert.deepEqual([map?.height, map?.width], [1, 1]);
  assert.ok(Number.isFinite(map?.values[0]));
  model.dispose();
});
