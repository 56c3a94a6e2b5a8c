import * as tf from '@tensorflow/tfjs-core';
import { relu } from '../../../src/engine/ops/activation.ts';
import { batchNorm } from '../../../src/engine/ops/batch-norm.ts';
import { conv2d } from '../../../src/engine/ops/conv.ts';
import { linear } from '../../../src/engine/ops/linear.ts';
import { softmaxCrossEntropy } from '../../../src/engine/ops/loss.ts';
import { adaptiveConcatPool, maxPool } from '../../../src/engine/ops/pool.ts';
import { releaseUnclaimedGradients } from '../../../src/engine/ops/shared-gradient.ts';
import { type FloatArray, readValues, tensorOf, variableOf } from '../../../src/engine/storage.ts';
import { mix, targetsOf } from '../../../src/learner/targets.ts';
import { imagenetStats } from '../../../src/vision/normalize.ts';
import { normalizeInPlace } from '../../../src/vision/render-batch.ts';
import {
  type Hashed,
  hashed,
  type Nested,
  tensorValues,
  toHwio,
  toNchw,
  toNhwc,
  toOihw,
} from '../golden-tensors.ts';
import { field, floats, type Held } from '../precision.ts';
import type { Numbers, Report } from '../report.ts';
import { leaveOut } from '../watched.ts';

// each kind of op reads fields of its own
type Op = { [field: string]: Numbers } & { x: Hashed | Nested; grad_out?: Hashed };
type Golden = { ops: Record<string, Op> };
type Compare = (quantity: string, actual: Numbers, fieldName: string) => void;

/** By what the case's name begins with. */
const kinds: [RegExp, (it: Op, compare: Compare, held: Held) => void][] = [
  [/^adaptive_concat_pool/, concatPool],
  [/^batchnorm/, batchNormOp],
  [/^(cross_entropy|label_smoothing)/, crossEntropy],
  [/^conv2d/, convolution],
  [/^maxpool/, pooling],
  [/^mini_head/, miniHead],
];

export async function opsCases(golden: Golden, report: Report, held: Held): Promise<void> {
  // label smoothing is asked of the logits of cross_entropy
  const shared = Object.values(golden.ops).find((op) => 'logits' in op && 'targets' in op);
  for (const [name, op] of Object.entries(golden.ops)) {
    await report.run(name, op, (given) => one(name, given, { shared, report, held }));
  }
  leaveOut(golden, ['generator']);
}

function one(
  name: string,
  given: Op,
  { shared, report, held }: { shared: Op | undefined; report: Report; held: Held },
): void {
  const it = new Proxy(given, {
    get: (target, key) => {
      if (key === 'name') return name;
      const own: unknown = Reflect.get(target, key);
      return own === undefined && shared && name.startsWith('label_smoothing')
        ? Reflect.get(shared, key)
        : own;
    },
  });
  const compare: Compare = (quantity, actual, fieldName) => {
    const expected = field<Numbers>(given, fieldName, held);
    if (expected === undefined) return;
    const scale = Math.max(1, ...[expected].flat(9).map((value) => Math.abs(Number(value))));
    report.near(name, quantity, actual, expected, {
      abs: (held === 'f64' ? 1e-12 : 1e-6) * scale,
    });
  };
  const kind = kinds.find(([pattern]) => pattern.test(name));
  if (kind) tf.tidy(() => kind[1](it as unknown as Op, compare, held));
  else if (name === 'normalize_imagenet') normalized(given, report);
  else if (name === 'mixup') mixup(given, report);
  // head.json holds what comes of it
  else if (name === 'kaiming_normal_defaults') leaveOut(given, Object.keys(given));
  else throw new Error('no op of this name');
  releaseUnclaimedGradients();
}

function concatPool(it: Op, compare: Compare, held: Held) {
  const input = tensorValues(it.x);
  const x = image(it.x, held);
  compare('input', input.values, 'x');
  const [n = 0, c = 0] = input.shape;
  // outputs lie as [N,2C] here, and as [N,2C,1,1] where the golden case does not flatten
  const dy = it.grad_out ? { ...tensorValues(it.grad_out), shape: [n, 2 * c] } : null;
  const { y, grads } = withGrads((a) => adaptiveConcatPool(a as tf.Tensor4D), [x], dy, held);
  compare('output', readValues(y), 'out');
  compare('gradient', toNchw(x.shape, grads[0] ?? []), 'grad_in');
}

function pooling(it: Op, compare: Compare, held: Held) {
  const [, k, s, p] = /k(\d+)_s(\d+)_p(\d+)/.exec(String(it.name)) ?? [];
  const x = image(it.x, held);
  const options = { size: Number(k), stride: Number(s), pad: Number(p) };
  const dy = it.grad_out ? toNhwc(tensorValues(it.grad_out)) : null;
  const { y, grads } = withGrads((a) => maxPool(a as tf.Tensor4D, options), [x], dy, held);
  compare('output', toNchw(y.shape, readValues(y)), 'out');
  compare('gradient', toNchw(x.shape, grads[0] ?? []), 'grad_in');
}

function convolution(it: Op, compare: Compare, held: Held) {
  const [, s, p] = /s(\d+)_p(\d+)/.exec(String(it.name)) ?? [];
  const x = image(it.x, held);
  const w = toHwio(tensorValues(it.w as unknown as Hashed));
  const filter = tensorOf<tf.Rank.R4>(floats(w.values, held), w.shape);
  const dy = it.grad_out ? toNhwc(tensorValues(it.grad_out)) : null;
  const op = (a?: tf.Tensor, b?: tf.Tensor) =>
    conv2d(a as tf.Tensor4D, b as tf.Tensor4D, { stride: Number(s), pad: Number(p) });
  const { y, grads } = withGrads(op, [x, filter], dy, held);
  compare('output', toNchw(y.shape, readValues(y)), 'out');
  compare('input gradient', toNchw(x.shape, grads[0] ?? []), 'grad_in');
  compare('filter gradient', toOihw(w.shape, grads[1] ?? []), 'grad_w');
}

type BatchNormParams = Record<'weight' | 'bias' | 'running_mean' | 'running_var', Hashed>;

function batchNormOp(it: Op, compare: Compare, held: Held) {
  const given = it.params as unknown as BatchNormParams;
  const vector = (name: keyof BatchNormParams) => floats(tensorValues(given[name]).values, held);
  const channels = given.weight.shape;
  const runningMean = variableOf<tf.Rank.R1>(vector('running_mean'), channels, {
    trainable: false,
  });
  const runningVar = variableOf<tf.Rank.R1>(vector('running_var'), channels, { trainable: false });
  const gamma = tensorOf<tf.Rank.R1>(vector('weight'), channels);
  const beta = tensorOf<tf.Rank.R1>(vector('bias'), channels);
  const x = image(it.x, held);
  const options = { runningMean, runningVar, momentum: Number(it.momentum), eps: Number(it.eps) };
  const evaluated = () => {
    const y = batchNorm(x, { ...options, gamma, beta, training: false, updateRunning: false });
    return toNchw(y.shape, readValues(y));
  };
  compare('evaluation before', evaluated(), 'eval_out_before');
  const dy = it.grad_out ? toNhwc(tensorValues(it.grad_out)) : null;
  const op = (a?: tf.Tensor, g?: tf.Tensor, b?: tf.Tensor) =>
    batchNorm(a as tf.Tensor, {
      ...options,
      gamma: g as tf.Tensor1D,
      beta: b as tf.Tensor1D,
      training: true,
      updateRunning: true,
    });
  const { y, grads } = withGrads(op, [x, gamma, beta], dy, held);
  compare('training output', toNchw(y.shape, readValues(y)), 'train_out');
  compare('gradient', toNchw(x.shape, grads[0] ?? []), 'grad_in');
  compare('gradient of the weight', grads[1] ?? [], 'grad_weight');
  compare('gradient of the bias', grads[2] ?? [], 'grad_bias');
  compare('running mean', readValues(runningMean), 'running_mean_after');
  compare('running variance', readValues(runningVar), 'running_var_after');
  compare('evaluation after', evaluated(), 'eval_out_after');
}

function crossEntropy(it: Op, compare: Compare, held: Held) {
  const rows = it.logits as unknown as number[][];
  const labels = it.targets as unknown as number[];
  const [, eps, reduction = 'mean'] = /label_smoothing_([.\d]+)_(\w+)/.exec(String(it.name)) ?? [];
  const smoothing = eps === undefined ? null : Number(eps);
  const classes = rows[0]?.length ?? 0;
  const one = (some: number[][], of: number[]) => {
    const logits = tensorOf<tf.Rank.R2>(floats(some.flat(), held), [some.length, classes]);
    const targets = exact(targetsOf(of, classes, smoothing), of, classes, smoothing, held);
    const op = (a?: tf.Tensor) =>
      softmaxCrossEntropy(
        a as tf.Tensor2D,
        tensorOf(floats(targets, held), [some.length, classes]),
      );
    const { y, grads } = withGrads(op, [logits], null, held);
    return { loss: readValues(y)[0] ?? Number.NaN, grad: grads[0] ?? [] };
  };
  const whole = one(rows, labels);
  const factor = reduction === 'mean' ? 1 : rows.length;
  const each = rows.map((row, i) => one([row], [labels[i] ?? 0]).loss);
  compare('loss', reduction === 'none' ? each : whole.loss * factor, 'loss');
  compare(
    'gradient',
    Array.from(whole.grad, (g) => g * factor),
    'grad',
  );
  compare('loss of each sample', each, 'per_sample');
  compare('softmax', rows.map(softmax), 'softmax');
}

function softmax(row: readonly number[]): number[] {
  const raised = row.map((value) => Math.exp(value - Math.max(...row)));
  return raised.map((value) => value / raised.reduce((sum, other) => sum + other, 0));
}

/** Soft targets are float32 in training; the double figures need them unrounded. */
function exact(
  soft: Float32Array,
  labels: number[],
  classes: number,
  eps: number | null,
  held: Held,
) {
  if (held === 'f32') return soft;
  return Float64Array.from(soft, (_, i) => {
    const hit = labels[Math.floor(i / classes)] === i % classes ? 1 - (eps ?? 0) : 0;
    return hit + (eps ?? 0) / classes;
  });
}

/** BN, linear, ReLU, BN, linear, in training mode. */
function miniHead(it: Op, compare: Compare, held: Held) {
  const shapes: [string, number[]][] = [
    ['0.weight', [4]],
    ['0.bias', [4]],
    ['1.weight', [3, 4]],
    ['1.bias', [3]],
    ['3.weight', [3]],
    ['3.bias', [3]],
    ['4.weight', [2, 3]],
    ['4.bias', [2]],
  ];
  const names = it.names as readonly string[];
  if (names.join() !== shapes.map(([name]) => name).join()) throw new Error('other parameters');
  const parameters = shapes.map(([name, shape], i) => {
    const offset = name === '0.weight' || name === '3.weight' ? 1 : 0;
    const n = shape.reduce((a, b) => a * b, 1);
    return tensorOf(floats(hashed(40 + i, n, 0.5, offset), held), shape);
  });
  const buffer = (value: number, n: number) =>
    variableOf<tf.Rank.R1>(floats(new Array(n).fill(value), held), [n], { trainable: false });
  const running = { '0': [buffer(0, 4), buffer(1, 4)], '3': [buffer(0, 3), buffer(1, 3)] } as const;
  const input = tensorValues(it.x);
  const x = tensorOf<tf.Rank.R2>(floats(input.values, held), input.shape);
  const labels = it.targets as unknown as number[];
  let logits: FloatArray = new Float32Array(0);
  const forward = (a?: tf.Tensor, ...p: tf.Tensor[]) => {
    const norm = (t: tf.Tensor2D, at: '0' | '3', first: number) =>
      batchNorm(t, {
        gamma: p[first] as tf.Tensor1D,
        beta: p[first + 1] as tf.Tensor1D,
        runningMean: running[at][0],
        runningVar: running[at][1],
        training: true,
        updateRunning: true,
      });
    const hidden = relu(
      linear(norm(a as tf.Tensor2D, '0', 0), p[2] as tf.Tensor2D, p[3] as tf.Tensor1D),
    );
    const out = linear(norm(hidden, '3', 4), p[6] as tf.Tensor2D, p[7] as tf.Tensor1D);
    logits = readValues(out);
    return softmaxCrossEntropy(
      out,
      tensorOf(floats(targetsOf(labels, 2, null), held), [labels.length, 2]),
    );
  };
  const { y, grads } = withGrads(forward, [x, ...parameters], null, held);
  compare('logits', logits, 'logits');
  compare('loss', readValues(y)[0] ?? null, 'loss');
  compare('input gradient', grads[0] ?? [], 'grad_in');
  shapes.forEach(
    ([name], i) => void compare(`gradient of ${name}`, grads[i + 1] ?? [], `grad_${name}`),
  );
  for (const at of ['0', '3'] as const) {
    compare(`running mean ${at}`, readValues(running[at][0]), `buf_${at}.running_mean`);
    compare(`running var ${at}`, readValues(running[at][1]), `buf_${at}.running_var`);
  }
}

function normalized(it: Op, report: Report) {
  const x = toNhwc(tensorValues(it.x));
  report.same(
    'normalize_imagenet',
    'statistics',
    [it.mean, it.std],
    [imagenetStats.mean, imagenetStats.std],
  );
  const before = toNchw(x.shape, x.values.slice());
  report.near('normalize_imagenet', 'taken back', before, it.denorm ?? null, { abs: 1e-6 });
  // nothing here knows those by name
  leaveOut(it, ['mnist_stats', 'cifar_stats']);
  normalizeInPlace(x.values, imagenetStats);
  report.near('normalize_imagenet', 'output', toNchw(x.shape, x.values), it.out ?? null, {
    abs: 1e-6,
  });
}

function mixup(it: Op, report: Report) {
  const draws = it.beta_draws as unknown as number[];
  const order = Uint32Array.from(it.shuffle as unknown as number[]);
  const labels = it.y as unknown as number[];
  const logits = it.logits as unknown as number[][];
  const lambdas = Float32Array.from(draws, (b) => Math.max(b, 1 - b));
  const x = tensorValues(it.x);
  const pairs = labels.map((label, i) => [label, labels[order[i] ?? 0], lambdas[i]]);
  report.near('mixup', 'targets', pairs as Numbers, it.mixed_target ?? null, { abs: 1e-6 });
  // what the draws were made with
  leaveOut(it, ['alpha']);
  report.near('mixup', 'lambda', lambdas, it.lambda_used ?? null, { abs: 1e-6 });
  report.near('mixup', 'images', mix(x.values, lambdas, order), it.mixed_x ?? null, { abs: 1e-6 });
  const classes = logits[0]?.length ?? 0;
  const loss = (targets: Float32Array) =>
    tf.tidy(() => {
      const given = tensorOf<tf.Rank.R2>(Float32Array.from(logits.flat()), [
        labels.length,
        classes,
      ]);
      const y = softmaxCrossEntropy(given, tensorOf(targets, [labels.length, classes]));
      return [readValues(y)[0] ?? Number.NaN];
    });
  const plain = targetsOf(labels, classes, null);
  report.near('mixup', 'training loss', loss(mix(plain, lambdas, order)), it.loss_train ?? null, {
    abs: 1e-6,
  });
  report.near('mixup', 'validation loss', loss(plain), it.loss_valid_unmixed ?? null, {
    abs: 1e-6,
  });
}

function image(given: Hashed | Nested, held: Held): tf.Tensor4D {
  const { shape, values } = toNhwc(tensorValues(given));
  return tensorOf<tf.Rank.R4>(floats(values, held), shape);
}

type Given = { shape: number[]; values: ArrayLike<number> } | null;

/** The op's output and the gradient of each input, for `dy` or ones; the op runs once. */
function withGrads(
  op: (...inputs: tf.Tensor[]) => tf.Tensor,
  inputs: tf.Tensor[],
  dy: Given,
  held: Held,
): { y: tf.Tensor; grads: FloatArray[] } {
  const given = dy ? tensorOf(floats(dy.values, held), dy.shape) : undefined;
  const { value, grads } = tf.engine().gradients(() => op(...inputs), inputs, given);
  return { y: value, grads: grads.map(readValues) };
}
