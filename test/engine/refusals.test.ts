// What the addon refuses: an Error that names the kernel and the shapes, never a crash.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import type { Native } from '../../src/engine/onednn/native.ts';
import { relu } from '../../src/engine/ops/activation.ts';
import { conv2d } from '../../src/engine/ops/conv.ts';
import { tensorOf } from '../../src/engine/storage.ts';
import { started } from './started.ts';

describe('the addon refuses what does not fit, by kernel and shapes', () => {
  const f = (size: number) => new Float32Array(size);
  const bits = (size: number) => new Uint16Array(size);
  type Call = [name: string, call: (native: Native) => void, expected: RegExp];
  const shape = [1, 4, 4, 3, 3, 3, 8, 1, 1] as const;
  const norm = [2, 3, true, true, true, 0.1, 1e-5] as const;
  const calls: Call[] = [
    [
      'conv: an input too short',
      (n) => n.conv(...shape, false, f(47), f(216), 0, 0, null, f(128)),
      /^conv \[1,4,4,3\] \* \[3,3,3,8\], stride 1, pad 1: x: expected 48 values, got 47/,
    ],
    [
      'conv: an output in another storage',
      (n) => n.conv(...shape, false, f(48), f(216), 0, 0, null, bits(128)),
      /conv .* y: expected the storage type of the first tensor/,
    ],
    [
      'conv: a filter larger than the image',
      (n) => n.conv(1, 2, 2, 3, 9, 9, 8, 1, 0, false, f(12), f(1944), 0, 0, null, f(8)),
      /conv \[1,2,2,3\] \* \[9,9,3,8\].*a filter that fits the image/,
    ],
    [
      'conv: doubles',
      (n) =>
        n.conv(
          ...shape,
          false,
          new Float64Array(48) as unknown as Float32Array,
          f(216),
          0,
          0,
          null,
          f(128),
        ),
      /conv .* x: expected a Float32Array, or a Uint16Array of bfloat16/,
    ],
    [
      'conv: a stride that is no whole number',
      (n) => n.conv(1, 4, 4, 3, 3, 3, 8, 0.5, 1, false, f(48), f(216), 0, 0, null, f(128)),
      /conv: stride: expected a whole number/,
    ],
    [
      'convFilterGrad: a gradient too short',
      (n) => n.convFilterGrad(...shape, f(48), f(128), f(215)),
      /convFilterGrad .* dfilter: expected 216 values, got 215/,
    ],
    [
      'batchNormPool: a window that is not the stem’s',
      (n) =>
        n.batchNormPool(
          ...([16, 3, true, true, true, 0.1, 1e-5] as const),
          ...([1, 4, 4, 3, 2, 2, 0, 2, 2] as const),
          f(48),
          f(3),
          f(3),
          f(3),
          f(3),
          f(12),
          f(12),
          new Uint8Array(12),
          f(3),
          f(3),
        ),
      /batchNormPool \[1,4,4,3\] by windows of 2: window: expected 3x3, stride 2, pad 1/,
    ],
    [
      'batchNorm: statistics too short',
      (n) => n.batchNorm(...norm, f(6), f(3), f(3), f(2), f(3), null, f(6), f(3), f(3)),
      /batchNorm \[2,3\]: runningMean: expected 3 values, got 2/,
    ],
    [
      'maxPool: places too short',
      (n) => n.maxPool(1, 4, 4, 2, 3, 2, 1, 2, 2, f(32), f(8), new Uint8Array(7)),
      /maxPool \[1,4,4,2\] by windows of 3: places: expected 8 values, got 7/,
    ],
    [
      'adamw: moments of another length',
      (n) => n.adamw(1, 0.9, 0.99, 1e-8, 0, true, 1, 1, [f(3), f(3), f(3), f(2)]),
      /adamw: tensors: expected p, g, m, v of one length/,
    ],
    [
      'clipGradNorm: doubles',
      (n) => n.clipGradNorm(1, [new Float64Array(2) as unknown as Float32Array]),
      /clipGradNorm: gradients: expected Float32Arrays/,
    ],
    ['allocate: more than there is', (n) => n.allocate(2 ** 52), /allocate: out of memory/],
  ];
  for (const [name, call, expected] of calls) {
    it(name, async (context) => {
      const { backend, reason } = await started('f32');
      if (!backend) return context.skip(reason);
      assert.throws(
        () => call(backend.native),
        (error: Error) => {
          assert.match(error.message, expected);
          return true;
        },
      );
    });
  }

  it('memory that cannot be had is an Error that names the op and its shapes', async (context) => {
    const { backend, reason } = await started('f32');
    if (!backend) return context.skip(reason);
    const { native } = backend;
    // as large a result as this test makes nowhere else, so that no free buffer fits it
    const x = tensorOf<tf.Rank.R4>(new Float32Array(977 * 3), [1, 977, 1, 3]);
    const { allocate } = native;
    native.allocate = () => allocate(2 ** 52);
    try {
      assert.throws(() => relu(x), /OcRelu of x \[1,977,1,3\]: allocate: out of memory/);
    } finally {
      native.allocate = allocate;
      x.dispose();
    }
  });

  it('a filter of other channels is an Error that names both shapes', async (context) => {
    const { backend, reason } = await started('f32');
    if (!backend) return context.skip(reason);
    assert.throws(
      () => conv2d(tf.zeros([1, 4, 4, 3]), tf.zeros([3, 3, 4, 8]), { stride: 1, pad: 1 }),
      /conv2d: input \[1,4,4,3\].*filter \[3,3,4,8\]/,
    );
  });
});
