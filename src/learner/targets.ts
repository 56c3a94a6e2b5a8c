// Labels as soft targets: label smoothing and mixup are linear in the target, so one loss serves all.

import type { Spec } from '../domain/spec.ts';
import { fromBf16, roundToBf16 } from '../engine/bfloat16.ts';
import { imageKernels } from '../engine/onednn/render.ts';
import { beta, keyedRandom, permutation } from '../training/random.ts';
import type { Batch } from './learner.ts';

type Loaded = { images: Float32Array | Uint16Array; shape: number[]; labels: Int32Array };
const mixupPurpose = 0x6d69;

/** One-hot, or eps/C everywhere and 1 - eps more on the label (fastai LabelSmoothingCrossEntropy). */
export function targetsOf(labels: ArrayLike<number>, classes: number, smoothing: number | null) {
  const eps = smoothing ?? 0;
  const targets = new Float32Array(labels.length * classes).fill(eps / classes);
  for (let i = 0; i < labels.length; i++) targets[i * classes + (labels[i] as number)]! += 1 - eps;
  return targets;
}

/** A training batch: targets, and mixup where the spec asks for it, keyed by (seed, epoch, step). */
export function trainingBatch(
  loaded: Loaded,
  classes: number,
  optimizer: Spec['optimizer'],
  key: readonly number[],
): Batch {
  const { images, shape, labels } = loaded;
  const targets = targetsOf(labels, classes, optimizer.label_smoothing);
  if (optimizer.mixup === null) return { images, shape, targets, classes };
  const n = labels.length;
  const { alpha } = optimizer.mixup;
  const random = keyedRandom(mixupPurpose, ...key);
  const lambdas = Float32Array.from({ length: n }, () => {
    const b = beta(random, alpha, alpha);
    return Math.max(b, 1 - b);
  });
  const order = permutation(n, mixupPurpose + 1, ...key);
  return {
    images: mix(images, lambdas, order),
    shape,
    targets: mix(targets, lambdas, order),
    classes,
  };
}

/** Mixup of rows, float32 or bfloat16: row i becomes l_i * row_i + (1 - l_i) * row_order[i]. */
export function mix<Rows extends Float32Array | Uint16Array>(
  rows: Rows,
  lambdas: Float32Array,
  order: Uint32Array,
): Rows {
  const kernels = imageKernels();
  if (!kernels) return mixInJs(rows, lambdas, order);
  const mixed = likeRows(rows);
  kernels.mixRows(lambdas.length, rows.length / lambdas.length, lambdas, order, rows, mixed);
  return mixed;
}

/** The referee of the kernel. */
export function mixInJs<Rows extends Float32Array | Uint16Array>(
  rows: Rows,
  lambdas: Float32Array,
  order: Uint32Array,
): Rows {
  const floats = rows instanceof Uint16Array ? fromBf16(rows) : rows;
  const width = rows.length / lambdas.length;
  const mixed = new Float32Array(rows.length);
  lambdas.forEach((lambda, i) => {
    const other = (order[i] as number) * width;
    for (let k = 0; k < width; k++) {
      mixed[i * width + k] = lambda * floats[i * width + k]! + (1 - lambda) * floats[other + k]!;
    }
  });
  const result = likeRows(rows);
  if (result instanceof Uint16Array) roundToBf16(mixed, result);
  else result.set(mixed);
  return result;
}

function likeRows<Rows extends Float32Array | Uint16Array>(rows: Rows): Rows {
  const { length } = rows;
  // one of the two types that Rows can be
  return (rows instanceof Uint16Array ? new Uint16Array(length) : new Float32Array(length)) as Rows;
}
