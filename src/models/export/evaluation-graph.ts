// From a traced forward pass to a Graph. A batch norm in evaluation is y = scale * x + shift with scale = gamma /
// sqrt(var + eps) and shift = beta - scale * mean: behind a layer it changes that layer's outputs, before a linear
// layer its inputs. Sums are in double, and each weight is rounded once.

import type * as tf from '@tensorflow/tfjs-core';
import { type FloatArray, readValues } from '../../engine/storage.ts';
import { type Trace, type TracedOp, type TracedTensor, traceForward } from '../../engine/trace.ts';
import { evalMode, type Model } from '../model.ts';
import type { ConvNode, Graph, GraphNode, LinearNode, NodeName } from './graph.ts';

type Affine = { scale: Float64Array; shift: Float64Array };
/** A node's output, perhaps with a batch norm that the next linear layer takes in. */
type Value = { node: NodeName; affine: Affine | null };

/** What the model computes in evaluation on images of [height, width]. */
export async function evaluationGraph(
  model: Model,
  [height, width]: readonly [number, number],
): Promise<Graph> {
  const inputShape: Graph['inputShape'] = [1, height, width, 3];
  const trace = await traceForward((x) => model.forward(x, evalMode), inputShape);
  const folding = new Folding(model, trace);
  for (const op of trace.ops) folding.take(op);
  const output = folding.plain(trace.output);
  return { inputShape, nodes: folding.nodes, output, classes: trace.output.shape.at(-1) ?? 0 };
}

/** The graph as it grows, op by op. */
class Folding {
  readonly nodes: GraphNode[] = [];
  private readonly variables = new Map<object, { name: string; variable: tf.Variable }>();
  private readonly values = new Map<object, Value>();
  private readonly uses = new Map<object, number>();

  constructor(model: Model, trace: Trace) {
    for (const named of [...model.parameters, ...model.buffers]) {
      this.variables.set(named.variable.dataId, named);
    }
    this.values.set(trace.input.dataId, { node: 'input', affine: null });
    const used = [...trace.ops.flatMap(({ inputs }) => Object.values(inputs)), trace.output];
    for (const { dataId } of used) this.uses.set(dataId, (this.uses.get(dataId) ?? 0) + 1);
  }

  take(op: TracedOp): void {
    this.values.set(op.output.dataId, this.valueOf(op));
  }

  /** The node behind a tensor. @throws Error where a batch norm is left over */
  plain(tensor: TracedTensor | undefined): NodeName {
    const value = tensor && this.values.get(tensor.dataId);
    if (!value || value.affine) throw new Error('a batch norm has no layer to be folded into');
    return value.node;
  }

  private valueOf({ kernel, inputs, attrs, output }: TracedOp): Value {
    switch (kernel) {
      case 'OcConv':
        return this.conv(inputs, attrs as { stride: number; pad: number; relu: boolean });
      case 'OcLinear':
        return this.linear(inputs);
      case 'OcBatchNorm':
        return this.batchNorm(inputs, attrs as { eps: number; relu: boolean });
      case 'OcRelu':
        return this.relu(inputs.x);
      case 'OcMaxPool': {
        const { size, stride, pad, ceil } = attrs as Record<'size' | 'stride' | 'pad', number> & {
          ceil: boolean;
        };
        const shapes = { inputShape: inputs.x?.shape ?? [], outputShape: output.shape };
        const input = this.plain(inputs.x);
        return this.add({ op: 'maxPool', input, size, stride, pad, ceil, ...shapes });
      }
      case 'OcGlobalPool':
        return this.add({ op: 'globalPool', input: this.plain(inputs.x), max: attrs.max === true });
      case 'OcConcat':
        return this.add({ op: 'concat', inputs: [this.plain(inputs.a), this.plain(inputs.b)] });
      default:
        throw new Error(`evaluationGraph: ${kernel} has no form in an export`);
    }
  }

  private conv(
    { x, filter, bias }: TracedOp['inputs'],
    { stride, pad, relu }: { stride: number; pad: number; relu: boolean },
  ): Value {
    const { name, values, shape } = this.weights(filter);
    const filterShape = shape as ConvNode['filterShape'];
    const biasValues = bias
      ? Float32Array.from(this.weights(bias).values)
      : new Float32Array(filterShape[3]);
    return this.add({
      op: 'conv',
      name,
      input: this.plain(x),
      filter: Float32Array.from(values),
      filterShape,
      bias: biasValues,
      stride,
      pad,
      relu,
    });
  }

  private linear({ x, weight, bias }: TracedOp['inputs']): Value {
    const before = x && this.values.get(x.dataId);
    if (!before) throw new Error('evaluationGraph: a linear layer without input');
    const { name, values, shape } = this.weights(weight);
    const [outputs = 0, inputs = 0] = shape;
    const node: LinearNode = {
      op: 'linear',
      name,
      input: before.node,
      weight: Float32Array.from(values),
      weightShape: [outputs, inputs],
      bias: bias ? Float32Array.from(this.weights(bias).values) : new Float32Array(outputs),
      relu: false,
    };
    if (before.affine) scaleInputs(node, before.affine);
    return this.add(node);
  }

  private batchNorm(
    { x, gamma, beta, runningMean, runningVar, residual }: TracedOp['inputs'],
    { eps, relu }: { eps: number; relu: boolean },
  ): Value {
    const before = x && this.values.get(x.dataId);
    if (!before) throw new Error('evaluationGraph: a batch norm without input');
    const affine = affineOf(
      {
        gamma: this.weights(gamma).values,
        beta: this.weights(beta).values,
        mean: this.weights(runningMean).values,
        variance: this.weights(runningVar).values,
      },
      eps,
    );
    const layer = before.affine ? null : this.ownLayer(x);
    // nothing but a linear layer can take it, and only where no ReLU or sum comes between
    if (!layer) return relu || residual ? this.refuse() : { node: before.node, affine };
    scaleOutputs(layer, affine);
    if (residual) {
      return this.add({ op: 'add', inputs: [layer.name, this.plain(residual)], relu });
    }
    layer.relu = relu;
    return before;
  }

  private relu(x: TracedTensor | undefined): Value {
    const layer = this.ownLayer(x);
    if (!layer) return this.refuse();
    layer.relu = true;
    return { node: layer.name, affine: null };
  }

  /** The layer that made this tensor, where nobody else sees it and no ReLU came behind. */
  private ownLayer(tensor: TracedTensor | undefined): ConvNode | LinearNode | null {
    if (!tensor || this.uses.get(tensor.dataId) !== 1) return null;
    const value = this.values.get(tensor.dataId);
    const node = this.nodes.find(({ name }) => name === value?.node);
    const isLayer = node && (node.op === 'conv' || node.op === 'linear');
    return isLayer && !node.relu && !value?.affine ? node : null;
  }

  private weights(tensor: TracedTensor | undefined) {
    const found = tensor && this.variables.get(tensor.dataId);
    if (!found) throw new Error('evaluationGraph: a weight that is no parameter of the model');
    const name = found.name.replace(/\.weight$/, '');
    return { name, values: readValues(found.variable), shape: tensor.shape };
  }

  private add(node: GraphNode | Unnamed): Value {
    const name = 'name' in node ? node.name : `${node.op}${this.nodes.length}`;
    this.nodes.push({ ...node, name } as GraphNode);
    return { node: name, affine: null };
  }

  private refuse(): never {
    throw new Error('evaluationGraph: a batch norm or ReLU has no layer to be folded into');
  }
}

/** A node that is called by what it does and its place. */
type Unnamed =
  Exclude<GraphNode, ConvNode | LinearNode> extends infer N
    ? N extends GraphNode
      ? Omit<N, 'name'>
      : never
    : never;

function affineOf(
  { gamma, beta, mean, variance }: Record<'gamma' | 'beta' | 'mean' | 'variance', FloatArray>,
  eps: number,
): Affine {
  const scale = Float64Array.from(gamma, (g, c) => g / Math.sqrt((variance[c] ?? 0) + eps));
  const shift = Float64Array.from(beta, (b, c) => b - (scale[c] ?? 0) * (mean[c] ?? 0));
  return { scale, shift };
}

/** layer := scale * layer + shift, per output. */
function scaleOutputs(layer: ConvNode | LinearNode, { scale, shift }: Affine): void {
  const outputs = layer.bias.length;
  if (layer.op === 'conv') {
    const { filter } = layer;
    for (let i = 0; i < filter.length; i += outputs) {
      for (let o = 0; o < outputs; o++) filter[i + o] = (filter[i + o] ?? 0) * (scale[o] ?? 0);
    }
  } else {
    const { weight } = layer;
    const inputs = layer.weightShape[1];
    for (let i = 0; i < weight.length; i++) {
      weight[i] = (weight[i] ?? 0) * (scale[Math.floor(i / inputs)] ?? 0);
    }
  }
  for (let o = 0; o < outputs; o++) {
    layer.bias[o] = (layer.bias[o] ?? 0) * (scale[o] ?? 0) + (shift[o] ?? 0);
  }
}

/** layer(x) := layer(scale * x + shift), per input. */
function scaleInputs(layer: LinearNode, { scale, shift }: Affine): void {
  const { weight, bias } = layer;
  const [outputs, inputs] = layer.weightShape;
  for (let o = 0; o < outputs; o++) {
    let sum = bias[o] ?? 0;
    for (let i = 0; i < inputs; i++) {
      const at = o * inputs + i;
      const w = weight[at] ?? 0;
      sum += w * (shift[i] ?? 0);
      weight[at] = w * (scale[i] ?? 0);
    }
    bias[o] = sum;
  }
}
