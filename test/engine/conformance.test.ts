// Every native kernel and its gradient against the referee, over shapes that are odd on purpose.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import { startEngine } from '../../src/engine/engine.ts';
import { relu } from '../../src/engine/ops/activation.ts';
import { batchNorm } from '../../src/engine/ops/batch-norm.ts';
import { batchNormMaxPool } from '../../src/engine/ops/batch-norm-pool.ts';
import { concatChannels } from '../../src/engine/ops/concat.ts';
import { conv2d } from '../../src/engine/ops/conv.ts';
import { dropout } from '../../src/engine/ops/dropout.ts';
import { clipGradNorm } from '../../src/engine/ops/gradient-clip.ts';
import { linear } from '../../src/engine/ops/linear.ts';
import { softmaxCrossEntropy } from '../../src/engine/ops/loss.ts';
import { adaptiveAvgPool, adaptiveConcatPool, maxPool } from '../../src/engine/ops/pool.ts';
import { releaseUnclaimedGradients } from '../../src/engine/ops/shared-gradient.ts';
import { type FloatArray, readValues, tensorOf, variableOf } from '../../src/engine/storage.ts';
import { keyedRandom } from '../../src/training/random.ts';

type Case = {
  name: string;
  /** Shapes of what is differentiated. */
  inputs: number[][];
  op: (inputs: tf.Tensor[]) => tf.Tensor;
  /** Running statistics that the op changes, as sizes. */
  state?: (inputs: tf.Tensor[], state: tf.Variable<tf.Rank.R1>[]) => tf.Tensor;
  channels?: number;
};

const conv = (x: number[], f: number[], stride: number, pad: number, bias = false): Case => ({
  name: `conv2d [${x}] * [${f}] stride ${stride} pad ${pad}${bias ? ' bias relu' : ''}`,
  inputs: bias ? [x, f, [f[3] ?? 0]] : [x, f],
  op: ([a, b, c]) =>
    conv2d(a as tf.Tensor4D, b as tf.Tensor4D, {
      stride,
      pad,
      ...(bias ? { bias: c as tf.Tensor1D, relu: true } : {}),
    }),
});
const bn = (
  x: number[],
  options: { training: boolean; relu: boolean; residual: boolean },
): Case => ({
  name: `batchNorm [${x}] ${JSON.stringify(options)}`,
  inputs: options.residual
    ? [x, [x.at(-1) ?? 0], [x.at(-1) ?? 0], x]
    : [x, [x.at(-1) ?? 0], [x.at(-1) ?? 0]],
  channels: x.at(-1) ?? 0,
  op: () => assert.fail('has state'),
  state: ([a, gamma, beta, residual], [runningMean, runningVar]) =>
    batchNorm(a as tf.Tensor, {
      gamma: gamma as tf.Tensor1D,
      beta: beta as tf.Tensor1D,
      runningMean: runningMean as tf.Variable<tf.Rank.R1>,
      runningVar: runningVar as tf.Variable<tf.Rank.R1>,
      training: options.training,
      updateRunning: options.training,
      relu: options.relu,
      residual,
    }),
});
const pool = (x: number[], size: number, stride: number, pad: number, ceil = false): Case => ({
  name: `maxPool [${x}] ${size}/${stride} pad ${pad}${ceil ? ' ceil' : ''}`,
  inputs: [x],
  op: ([a]) => maxPool(a as tf.Tensor4D, { size, stride, pad, ceil }),
});
const bnPool = (x: number[], training: boolean): Case => ({
  name: `batchNormMaxPool [${x}]${training ? ' training' : ''}`,
  inputs: [x, [x[3] ?? 0], [x[3] ?? 0]],
  channels: x[3],
  op: () => assert.fail('has state'),
  state: ([a, gamma, beta], [runningMean, runningVar]) =>
    batchNormMaxPool(a as tf.Tensor4D, {
      gamma: gamma as tf.Tensor1D,
      beta: beta as tf.Tensor1D,
      runningMean: runningMean as tf.Variable<tf.Rank.R1>,
      runningVar: runningVar as tf.Variable<tf.Rank.R1>,
      training,
      updateRunning: training,
    }),
});

const flags = [true, false];
const cases: Case[] = [
  conv([1, 5, 7, 3], [3, 3, 3, 8], 1, 1),
  conv([2, 28, 28, 3], [7, 7, 3, 16], 2, 3),
  conv([2, 29, 28, 3], [7, 7, 3, 64], 2, 3),
  conv([3, 17, 26, 2], [5, 5, 2, 48], 2, 2, true),
  conv([2, 12, 11, 4], [7, 7, 4, 32], 2, 3),
  conv([3, 9, 8, 16], [3, 3, 16, 32], 2, 1),
  conv([2, 7, 7, 5], [1, 1, 5, 9], 1, 0),
  conv([2, 8, 6, 16], [1, 1, 16, 32], 2, 0),
  conv([1, 1, 1, 33], [3, 3, 33, 17], 1, 1),
  conv([2, 6, 5, 4], [3, 3, 4, 6], 1, 1, true),
  conv([1, 9, 9, 3], [3, 3, 3, 64], 2, 0, true),
  // by Winograd's algorithm where the CPU has it: whole tiles, cut ones, an odd number of them, panels cut short
  conv([2, 8, 8, 32], [3, 3, 32, 64], 1, 1),
  conv([1, 7, 9, 64], [3, 3, 64, 80], 1, 1),
  conv([5, 4, 5, 48], [3, 3, 48, 32], 1, 1, true),
  conv([7, 14, 13, 32], [3, 3, 32, 128], 1, 1),
  conv([9, 2, 3, 64], [3, 3, 64, 96], 1, 1),
  // filters most of whose taps only meet padding
  conv([6, 1, 1, 32], [3, 3, 32, 48], 1, 1),
  conv([4, 2, 2, 16], [3, 3, 16, 32], 2, 1),
  conv([4, 2, 1, 16], [3, 3, 16, 32], 1, 1),
  conv([2, 3, 3, 4], [7, 7, 4, 8], 2, 3),
  ...flags.flatMap((training) =>
    flags.flatMap((useRelu) =>
      flags.map((residual) => bn([2, 5, 3, 7], { training, relu: useRelu, residual })),
    ),
  ),
  bn([64, 33], { training: true, relu: false, residual: false }),
  bn([9, 14, 14, 64], { training: true, relu: true, residual: true }),
  bnPool([3, 14, 13, 64], true),
  bnPool([2, 7, 8, 70], true),
  bnPool([2, 9, 9, 5], false),
  pool([2, 14, 14, 8], 3, 2, 1),
  pool([1, 5, 6, 3], 3, 2, 1),
  pool([1, 7, 7, 4], 3, 2, 0, true),
  pool([1, 6, 8, 5], 3, 2, 0, true),
  {
    name: 'adaptiveConcatPool',
    inputs: [[2, 3, 4, 5]],
    op: ([x]) => adaptiveConcatPool(x as tf.Tensor4D),
  },
  {
    name: 'adaptiveConcatPool of one pixel',
    inputs: [[3, 1, 1, 7]],
    op: ([x]) => adaptiveConcatPool(x as tf.Tensor4D),
  },
  {
    name: 'adaptiveAvgPool',
    inputs: [[2, 3, 4, 5]],
    op: ([x]) => adaptiveAvgPool(x as tf.Tensor4D),
  },
  {
    name: 'linear',
    inputs: [[5, 33], [7, 33], [7]],
    op: ([x, w, b]) => linear(x as tf.Tensor2D, w as tf.Tensor2D, b as tf.Tensor1D),
  },
  {
    name: 'linear, batch 1, no bias',
    inputs: [
      [1, 8],
      [3, 8],
    ],
    op: ([x, w]) => linear(x as tf.Tensor2D, w as tf.Tensor2D, null),
  },
  { name: 'relu', inputs: [[3, 5, 7]], op: ([x]) => relu(x as tf.Tensor) },
  { name: 'dropout', inputs: [[40, 50]], op: ([x]) => dropout(x as tf.Tensor, 0.25, [1, 2, 3]) },
  {
    name: 'concatChannels',
    inputs: [
      [2, 3, 3, 4],
      [2, 3, 3, 5],
    ],
    op: ([a, b]) => concatChannels(a as tf.Tensor4D, b as tf.Tensor4D),
  },
  {
    name: 'a tensor that is used twice: its gradients are added',
    inputs: [[2, 30, 30, 5], [5], [5]],
    channels: 5,
    op: () => assert.fail('has state'),
    state: ([x, gamma, beta], [runningMean, runningVar]) =>
      batchNorm(x as tf.Tensor, {
        gamma: gamma as tf.Tensor1D,
        beta: beta as tf.Tensor1D,
        runningMean: runningMean as tf.Variable<tf.Rank.R1>,
        runningVar: runningVar as tf.Variable<tf.Rank.R1>,
        training: true,
        updateRunning: true,
        relu: true,
        residual: x,
      }),
  },
  {
    name: 'softmaxCrossEntropy with soft targets',
    inputs: [[6, 5]],
    op: ([x]) => {
      const soft = values(99, 30).map((v) => Math.abs(v));
      return softmaxCrossEntropy(x as tf.Tensor2D, tensorOf(soft, [6, 5]));
    },
  },
];

function values(key: number, size: number): Float32Array {
  const random = keyedRandom(key, size);
  return Float32Array.from({ length: size }, () => random.normal());
}

/** The values that bfloat16 can hold. */
function rounded(values: Float32Array): Float32Array {
  const words = new Uint32Array(values.buffer);
  return new Float32Array(words.map((word) => (word + 0x8000) & 0xffff0000).buffer);
}

/**
 * Output, gradients and changed state of a case on the current engine; with `bf16` what goes in is what bfloat16
 * can hold.
 */
function run(test: Case, { bf16 = false } = {}): FloatArray[] {
  const drawn = (key: number, size: number) =>
    bf16 ? rounded(values(key, size)) : values(key, size);
  let results: FloatArray[] = [];
  tf.tidy(() => {
    const inputs = test.inputs.map((shape, i) =>
      tensorOf(drawn(i + 1, tf.util.sizeFromShape(shape)), shape),
    );
    const channels = test.channels ?? 0;
    const state = test.state
      ? [
          variableOf<tf.Rank.R1>(values(77, channels), [channels], { trainable: false }),
          variableOf<tf.Rank.R1>(
            values(78, channels).map((v) => 0.5 + v * v),
            [channels],
            { trainable: false },
          ),
        ]
      : [];
    let output: FloatArray | null = null;
    const scalar = (...xs: tf.Tensor[]): tf.Tensor => {
      const y = test.state ? test.state(xs, state) : test.op(xs);
      output = readValues(y);
      return y;
    };
    const shapeProbe = scalar(...inputs);
    state.forEach((variable, i) => {
      const fresh = i === 0 ? values(77, channels) : values(78, channels).map((v) => 0.5 + v * v);
      variable.assign(tensorOf(fresh, [channels]));
    });
    const dy = tensorOf(drawn(55, shapeProbe.size), shapeProbe.shape);
    const grads = tf.grads(scalar)(inputs, dy);
    results = [output as unknown as FloatArray, ...grads.map(readValues), ...state.map(readValues)];
    for (const variable of state) variable.dispose();
    releaseUnclaimedGradients();
  });
  return results;
}

describe('onednn agrees with the referee', () => {
  let skip: string | false = false;
  before(async () => {
    await startEngine({ engine: 'onednn', precision: 'f32', threads: null }).catch(
      (error: Error) => {
        skip = error.message;
      },
    );
  });
  after(async () => {
    await startEngine({ engine: 'js', precision: 'f32', threads: null });
  });
  for (const test of cases) {
    it(test.name, async (context) => {
      if (skip) return context.skip(skip);
      await startEngine({ engine: 'js', precision: 'f64', threads: null });
      const expected = run(test);
      await startEngine({ engine: 'onednn', precision: 'f32', threads: null });
      const before = tf.memory().numTensors;
      const got = run(test);
      assert.equal(tf.memory().numTensors, before, 'tensors leaked');
      assert.equal(got.length, expected.length);
      expected.forEach((reference, which) => {
        const result = got[which] as FloatArray;
        assert.equal(result.length, reference.length);
        const scale = Math.max(1, largest(reference));
        reference.forEach((value, i) => {
          const off = Math.abs(value - (result[i] as number));
          assert.ok(off <= 3e-5 * scale, `result ${which}[${i}]: ${result[i]}, expected ${value}`);
        });
      });
    });
  }

  it('gradients are clipped to one norm, and left alone below it', async (context) => {
    if (skip) return context.skip(skip);
    for (const max of [1, 1e6]) {
      const clipped: FloatArray[] = [];
      for (const engine of ['js', 'onednn'] as const) {
        await startEngine({ engine, precision: 'f32', threads: null });
        const grads = [tensorOf(values(3, 1000), [10, 100]), tensorOf(values(4, 7), [7])];
        clipGradNorm(grads, max);
        clipped.push(Float32Array.from(grads.flatMap((grad) => [...readValues(grad)])));
        tf.dispose(grads);
      }
      const [referee, ours] = clipped as [FloatArray, FloatArray];
      assert.ok(Math.abs(size(ours) - Math.min(max, size(referee))) < 1e-5);
      referee.forEach((value: number, i: number) => {
        assert.ok(Math.abs(value - (ours[i] as number)) < 1e-6);
      });
    }
  });

  it('a wrong shape is an Error that names kernel and shapes', () => {
    assert.throws(
      () => conv2d(tf.zeros([1, 4, 4, 3]), tf.zeros([3, 3, 4, 8]), { stride: 1, pad: 1 }),
      /conv2d: input \[1,4,4,3\].*filter \[3,3,4,8\]/,
    );
  });
});

describe('onednn in bf16 agrees with the referee to the rounding of what it stores', () => {
  after(async () => {
    await startEngine({ engine: 'js', precision: 'f32', threads: null });
  });
  for (const test of cases) {
    it(test.name, async (context) => {
      const reason = await startEngine({ engine: 'onednn', precision: 'bf16', threads: null }).then(
        () => null,
        (error: Error) => error.message,
      );
      if (reason !== null) return context.skip(reason);
      const got = run(test, { bf16: true });
      await startEngine({ engine: 'js', precision: 'f64', threads: null });
      run(test, { bf16: true }).forEach((expected, which) => {
        const result = got[which] as FloatArray;
        const errors = Float64Array.from(expected, (value, i) => value - (result[i] ?? Number.NaN));
        const error = size(errors) / size(expected);
        // bfloat16 keeps 8 bits, Winograd's transforms lose two more; where a ReLU's input is rounded to the
        // other side of 0 a whole gradient comes or goes, once in a few hundred times
        const scale = largest(expected);
        const bound = /relu/i.test(test.name) ? 0.1 : 0.015;
        assert.ok(!(error > bound), `result ${which} is off by ${error} of its size`);
        expected.forEach((value, i) => {
          if (/relu/i.test(test.name)) return;
          const off = Math.abs((result[i] ?? Number.NaN) - value);
          assert.ok(off <= 0.05 * scale, `result ${which}[${i}]: off by ${off}`);
        });
      });
    });
  }
});

function largest(values: FloatArray): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

/** The Euclidean norm. */
function size(values: FloatArray): number {
  let squares = 0;
  for (const value of values) squares += value * value;
  return Math.sqrt(squares);
}
