// The addon's typed face. native/build.mjs builds it; a missing one is a Problem that says how.

import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { problem } from '../../domain/problem.ts';

/** What a tensor is stored as: float32, or bfloat16. All tensors of a call must be alike. */
export type Values = Float32Array | Uint16Array;
type F = Float32Array;
type V = Values;
type N = number;
/** A filter's values, who it is and which of its versions, by which its reordered forms are kept. */
type Filter = [filter: F, id: N, version: N];

export type Native = {
  isa: string;
  dnnlVersion: string;
  threadsMax: number;
  setThreads(threads: N): void;
  /** Starts or stops the clock of every kernel, from zero. */
  setProfiling(on: boolean): void;
  profile(): Record<string, { calls: number; seconds: number }>;
  /** What the machine can do at most, measured now: FLOP/s, or bytes/s read and written; takes a second. */
  peak(kind: 'f32' | 'bf16' | 'bandwidth'): N;
  /** Whether the CPU multiplies bfloat16 natively. */
  multipliesBf16: boolean;
  /** An ArrayBuffer aligned to a cache line, outside the JavaScript heap. */
  allocate(bytes: N): ArrayBuffer;
  conv(...args: [...ConvArgs, relu: boolean, x: V, ...Filter, bias: F | null, y: V]): void;
  convInputGrad(...args: [...ConvArgs, dy: V, ...Filter, dx: V]): void;
  convFilterGrad(...args: [...ConvArgs, x: V, dy: V, df: F]): void;
  /** A filter is gone: its reordered forms may go too. */
  forgetFilter(id: N): void;
  batchNorm(
    ...args: [
      ...BatchNormArgs,
      x: V,
      gamma: F,
      beta: F,
      runningMean: F,
      runningVar: F,
      residual: V | null,
      y: V,
      mean: F,
      inverseStd: F,
    ]
  ): void;
  batchNormGrad(
    ...args: [
      ...BatchNormArgs,
      x: V,
      dy: V,
      y: V,
      gamma: F,
      beta: F,
      mean: F,
      inverseStd: F,
      dx: V,
      dgamma: F,
      dbeta: F,
      dresidual: V | null,
    ]
  ): void;
  batchNormPool(
    ...args: [
      ...BatchNormArgs,
      ...PoolArgs,
      x: V,
      gamma: F,
      beta: F,
      runningMean: F,
      runningVar: F,
      y: V,
      peaks: V,
      places: Uint8Array,
      mean: F,
      inverseStd: F,
    ]
  ): void;
  batchNormPoolGrad(
    ...args: [
      ...BatchNormArgs,
      ...PoolArgs,
      x: V,
      dy: V,
      peaks: V,
      places: Uint8Array,
      gamma: F,
      beta: F,
      mean: F,
      inverseStd: F,
      dx: V,
      dgamma: F,
      dbeta: F,
    ]
  ): void;
  maxPool(...args: [...PoolArgs, x: V, y: V, places: Uint8Array]): void;
  maxPoolGrad(...args: [...PoolArgs, dy: V, places: Uint8Array, dx: V]): void;
  globalPool(n: N, pixels: N, c: N, max: boolean, x: V, y: F, places: F): void;
  globalPoolGrad(n: N, pixels: N, c: N, max: boolean, dy: F, places: F, dx: V): void;
  linear(n: N, inC: N, outC: N, x: F, weight: F, bias: F | null, y: F): void;
  linearInputGrad(n: N, inC: N, outC: N, dy: F, weight: F, dx: F): void;
  linearWeightGrad(n: N, inC: N, outC: N, dy: F, x: F, dw: F): void;
  crossEntropy(n: N, classes: N, logits: F, targets: F, loss: F, logProbabilities: F): void;
  crossEntropyGrad(n: N, classes: N, dy: N, targets: F, logProbabilities: F, dx: F): void;
  add(size: N, a: V, b: V, y: V): void;
  relu(size: N, x: V, y: V): void;
  reluGrad(size: N, dy: V, y: V, dx: V): void;
  dropout(size: N, p: N, seed: N, x: V, y: V): void;
  concat(rows: N, ac: N, bc: N, a: V, b: V, y: V): void;
  channelSlice(rows: N, width: N, from: N, channels: N, x: V, y: V): void;
  biasGrad(rows: N, channels: N, dy: V, db: F): void;
  /** From one storage to another. */
  convert(size: N, from: V, to: V): void;
  /** In place: the norm of all of them together becomes at most `max`. */
  clipGradNorm(max: N, gradients: F[]): void;
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
export type BatchNormArgs = [
  rows: N,
  channels: N,
  training: boolean,
  updateRunning: boolean,
  relu: boolean,
  momentum: N,
  eps: N,
];
export type PoolArgs = [n: N, h: N, w: N, c: N, size: N, stride: N, pad: N, oh: N, ow: N];

const spinCount = '30000';

/** @throws Problem `engine_unavailable` when the addon is not built or does not load */
export function loadNative(): Native {
  // from src/engine/onednn, and from dist/src/engine/onednn after the build
  const up = import.meta.url.includes('/dist/src/') ? '../../../../' : '../../../';
  const path = fileURLToPath(new URL(`${up}native/build/onecycle_native.node`, import.meta.url));
  // read by OpenMP when the addon brings it in: threads that wait for the next kernel spin for microseconds, not
  // for the milliseconds of its default, which they would take from the loader, the supervisor and the server
  process.env.GOMP_SPINCOUNT ??= spinCount;
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
