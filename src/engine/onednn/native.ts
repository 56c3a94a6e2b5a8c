// The addon's typed face. native/build.mjs builds it; a missing one is a Problem that says how.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { problem } from '../../domain/problem.ts';

type F = Float32Array;
type N = number;

export type Native = {
  isa: string;
  dnnlVersion: string;
  threadsMax: number;
  setThreads(threads: N): void;
  /** Starts or stops the clock of every kernel, from zero. */
  setProfiling(on: boolean): void;
  profile(): Record<string, { calls: number; seconds: number }>;
  /** Whether the CPU multiplies bfloat16 natively. */
  multipliesBf16: boolean;
  /** Convolutions multiply in bfloat16 from now on, and sum in float32. */
  setBf16(on: boolean): void;
  /** An ArrayBuffer aligned to a cache line, outside the JavaScript heap. */
  allocate(bytes: N): ArrayBuffer;
  conv(...shape: [...ConvArgs, relu: boolean, x: F, filter: F, bias: F | null, y: F]): void;
  convInputGrad(...args: [...ConvArgs, dy: F, filter: F, dx: F]): void;
  convFilterGrad(...args: [...ConvArgs, x: F, dy: F, df: F]): void;
  batchNorm(
    rows: N,
    channels: N,
    training: boolean,
    updateRunning: boolean,
    relu: boolean,
    momentum: N,
    eps: N,
    x: F,
    gamma: F,
    beta: F,
    runningMean: F,
    runningVar: F,
    residual: F | null,
    y: F,
    mean: F,
    inverseStd: F,
  ): void;
  batchNormGrad(
    rows: N,
    channels: N,
    training: boolean,
    relu: boolean,
    dy: F,
    x: F,
    y: F,
    gamma: F,
    mean: F,
    inverseStd: F,
    dx: F,
    dgamma: F,
    dbeta: F,
    dresidual: F | null,
  ): void;
  maxPool(...args: [...PoolArgs, x: F, y: F, places: F]): void;
  maxPoolGrad(...args: [...PoolArgs, dy: F, places: F, dx: F]): void;
  globalPool(n: N, pixels: N, c: N, max: boolean, x: F, y: F, places: F): void;
  globalPoolGrad(n: N, pixels: N, c: N, max: boolean, dy: F, places: F, dx: F): void;
  linear(n: N, inC: N, outC: N, x: F, weight: F, bias: F | null, y: F): void;
  linearInputGrad(n: N, inC: N, outC: N, dy: F, weight: F, dx: F): void;
  linearWeightGrad(n: N, inC: N, outC: N, dy: F, x: F, dw: F): void;
  crossEntropy(n: N, classes: N, logits: F, targets: F, loss: F, logProbabilities: F): void;
  crossEntropyGrad(n: N, classes: N, dy: N, targets: F, logProbabilities: F, dx: F): void;
  add(size: N, a: F, b: F, y: F): void;
  relu(size: N, x: F, y: F): void;
  reluGrad(size: N, dy: F, y: F, dx: F): void;
  dropout(size: N, p: N, seed: N, x: F, y: F): void;
  concat(rows: N, ac: N, bc: N, a: F, b: F, y: F): void;
  channelSlice(rows: N, width: N, from: N, channels: N, x: F, y: F): void;
  biasGrad(rows: N, channels: N, dy: F, db: F): void;
  /** `tensors` is flat: p, g, m, v of each. */
  adamw(
    lr: N,
    beta1: N,
    beta2: N,
    eps: N,
    wd: N,
    trueWd: boolean,
    correction1: N,
    correction2: N,
    tensors: F[],
  ): void;
};
export type ConvArgs = [n: N, h: N, w: N, c: N, kh: N, kw: N, o: N, stride: N, pad: N];
export type PoolArgs = [n: N, h: N, w: N, c: N, size: N, stride: N, pad: N, oh: N, ow: N];

/** @throws Problem `engine_unavailable` when the addon is not built or does not load */
export function loadNative(): Native {
  // from src/engine/onednn, and from dist/src/engine/onednn after the build
  const up = import.meta.url.includes('/dist/src/') ? '../../../../' : '../../../';
  const path = fileURLToPath(new URL(`${up}native/build/onecycle_native.node`, import.meta.url));
  try {
    return createRequire(import.meta.url)(path) as Native;
  } catch (cause) {
    throw problem(
      'engine_unavailable',
      `onednn: ${path} did not load: ${(cause as Error).message}`,
      {
        hint: 'Run `npm run build:native`, which says what it needs; or set ENGINE=js.',
        cause,
      },
    );
  }
}
