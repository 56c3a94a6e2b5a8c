// A model here is data and one function: named parameters and buffers (fastai's state_dict names, `0.` for
// the body and `1.` for the head) in layer groups, and `forward`. Builders add layers in fastai's order.

import type * as tf from '@tensorflow/tfjs-core';
import { batchNorm } from '../engine/ops/batch-norm.ts';
import { batchNormMaxPool } from '../engine/ops/batch-norm-pool.ts';
import { conv2d } from '../engine/ops/conv.ts';
import { linear } from '../engine/ops/linear.ts';
import { variableOf } from '../engine/storage.ts';
import { keyedRandom } from '../training/random.ts';

/** What a parameter is, which decides its layout, its initial value and its weight-decay bucket. */
export type Role = 'filter' | 'linear' | 'bn' | 'bias';

/** `torchShape` is PyTorch's; in memory a filter is HWIO, everything else lies as in PyTorch. */
export type Parameter = {
  name: string;
  role: Role;
  group: number;
  torchShape: number[];
  variable: tf.Variable;
};
/** A running statistic of a batch norm, [C]. */
export type Buffer = { name: string; group: number; variable: tf.Variable };
export type BatchNormLayer = { name: string; group: number; gamma: Parameter; momentum: number };

/** How a forward pass runs: `training` uses batch statistics and dropout. */
export type Mode = {
  training: boolean;
  /** Whether this batch norm behaves as in training; fastai's BnFreeze turns frozen ones off. */
  trainBatchNorm: (layer: BatchNormLayer) => boolean;
  /** Key of this step's dropout masks. */
  dropoutKey: readonly number[];
};

export type Layer<Out extends tf.Tensor = tf.Tensor4D, In extends tf.Tensor = tf.Tensor4D> = (
  x: In,
  mode: Mode,
) => Out;

export type Model = {
  parameters: Parameter[];
  buffers: Buffer[];
  batchNorms: BatchNormLayer[];
  groups: number;
  /** [N,H,W,3] -> the last activations of the convolutions [N,h,w,features]. */
  body: Layer;
  /** Those -> logits [N,C]. */
  head: Layer<tf.Tensor2D>;
  /** Both: [N,H,W,3] -> logits [N,C]. */
  forward: Layer<tf.Tensor2D>;
  dispose: () => void;
};

/** Inference: running statistics, no dropout. */
export const evalMode: Mode = { training: false, trainBatchNorm: () => false, dropoutKey: [] };

type BatchNormOptions = { momentum?: number; relu?: boolean };

/** Collects parameters while layers are made; `group` is the layer group of what is added next. */
export class ModelBuilder {
  readonly parameters: Parameter[] = [];
  readonly buffers: Buffer[] = [];
  readonly batchNorms: BatchNormLayer[] = [];
  readonly seed: number;
  group = 0;

  constructor(seed: number) {
    this.seed = seed;
  }

  /** A convolution without bias, initialised as torchvision does for ResNets: N(0, sqrt(2/fan_out)). */
  conv(name: string, inC: number, outC: number, kernel: number, stride = 1, pad = 0): Layer {
    const filter = this.filter(name, inC, outC, kernel, Math.sqrt(2 / (outC * kernel * kernel)));
    return (x) => conv2d(x, tensor4d(filter), { stride, pad });
  }

  /** A convolution with bias and ReLU, as in SqueezeNet; N(0, sqrt(2/fan_in)). */
  convRelu(name: string, inC: number, outC: number, kernel: number, stride = 1, pad = 0): Layer {
    const filter = this.filter(name, inC, outC, kernel, Math.sqrt(2 / (inC * kernel * kernel)));
    const bias = this.add(`${name}.bias`, 'bias', [outC], new Float32Array(outC));
    return (x) => conv2d(x, tensor4d(filter), { stride, pad, bias: tensor1d(bias), relu: true });
  }

  /** Batch norm over the last axis; `relu` and a residual are fused behind it. */
  batchNorm(
    name: string,
    channels: number,
    { momentum = 0.1, relu = false }: BatchNormOptions = {},
  ) {
    const statistics = this.statistics(name, channels, momentum);
    return <T extends tf.Tensor>(x: T, mode: Mode, residual?: T): T =>
      batchNorm(x, { ...statistics(mode), relu, residual });
  }

  /** Batch norm, ReLU and max pooling by 3x3, stride 2, in one where the engine can. */
  batchNormMaxPool(name: string, channels: number): Layer {
    const statistics = this.statistics(name, channels, 0.1);
    return (x, mode) => batchNormMaxPool(x, statistics(mode));
  }

  /** A linear layer with bias: N(0, sqrt(2/fan_in)), bias 0 (fastai apply_init with kaiming_normal_). */
  linear(name: string, inC: number, outC: number): Layer<tf.Tensor2D, tf.Tensor2D> {
    const weight = this.add(
      `${name}.weight`,
      'linear',
      [outC, inC],
      this.normal(outC * inC, Math.sqrt(2 / inC)),
    );
    const bias = this.add(`${name}.bias`, 'bias', [outC], new Float32Array(outC));
    return (x) => linear(x, weight.variable as tf.Variable<tf.Rank.R2>, tensor1d(bias));
  }

  /** The finished model. */
  build(body: Model['body'], head: Model['head']): Model {
    const { parameters, buffers, batchNorms } = this;
    const forward: Model['forward'] = (x, mode) => head(body(x, mode), mode);
    const dispose = () => {
      for (const { variable } of [...parameters, ...buffers]) variable.dispose();
    };
    return {
      parameters,
      buffers,
      batchNorms,
      groups: this.group + 1,
      body,
      head,
      forward,
      dispose,
    };
  }

  /** A batch norm's parameters and buffers, and how it normalises in a mode. */
  private statistics(name: string, channels: number, momentum: number) {
    const gamma = this.add(`${name}.weight`, 'bn', [channels], new Float32Array(channels).fill(1));
    const beta = this.add(`${name}.bias`, 'bn', [channels], new Float32Array(channels));
    const layer: BatchNormLayer = { name, group: this.group, gamma, momentum };
    const runningMean = this.buffer(`${name}.running_mean`, new Float32Array(channels));
    const runningVar = this.buffer(`${name}.running_var`, new Float32Array(channels).fill(1));
    this.batchNorms.push(layer);
    return (mode: Mode) => {
      const training = mode.training && mode.trainBatchNorm(layer);
      const learnt = { gamma: tensor1d(gamma), beta: tensor1d(beta) };
      return {
        ...learnt,
        runningMean,
        runningVar,
        training,
        updateRunning: training,
        momentum,
        eps: 1e-5,
      };
    };
  }

  private filter(name: string, inC: number, outC: number, kernel: number, std: number) {
    const values = this.normal(outC * inC * kernel * kernel, std);
    return this.add(`${name}.weight`, 'filter', [outC, inC, kernel, kernel], values);
  }

  private add(name: string, role: Role, torchShape: number[], values: Float32Array): Parameter {
    const shape = role === 'filter' ? hwio(torchShape) : torchShape;
    const variable = variableOf(values, shape, { trainable: true });
    const parameter: Parameter = { name, role, group: this.group, torchShape, variable };
    this.parameters.push(parameter);
    return parameter;
  }

  private buffer(name: string, values: Float32Array): tf.Variable<tf.Rank.R1> {
    const variable = variableOf<tf.Rank.R1>(values, [values.length], { trainable: false });
    this.buffers.push({ name, group: this.group, variable });
    return variable;
  }

  private normal(length: number, std: number): Float32Array {
    // one stream a tensor, keyed by its place, so that a head is the same behind any body of its kind
    const random = keyedRandom(this.seed, 0x1417, this.parameters.length);
    return Float32Array.from({ length }, () => std * random.normal());
  }
}

/** [O,I,H,W] -> [H,W,I,O]. */
function hwio([o, i, h, w]: number[]): number[] {
  return [h ?? 1, w ?? 1, i ?? 1, o ?? 1];
}
// a variable's rank is known where it was made, not in its type
function tensor4d(parameter: Parameter): tf.Tensor4D {
  return parameter.variable as tf.Variable<tf.Rank.R4>;
}
function tensor1d(parameter: Parameter): tf.Tensor1D {
  return parameter.variable as tf.Variable<tf.Rank.R1>;
}
