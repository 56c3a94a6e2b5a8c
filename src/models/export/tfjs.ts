// A Graph as a TF.js graph model: `input` float32 [batch,H,W,3] (NHWC, normalised RGB) -> `probabilities`
// [batch,classes]; `execute(input, 'logits')` answers the logits. Read by loadGraphModel of @tensorflow/tfjs.
//
// TensorFlow's "same" pads unevenly where PyTorch pads both sides alike, so convolutions say their padding. MaxPool
// can't in TF.js: zeros are laid around its input before it, which no window's maximum can tell from nothing, since
// the input is never below zero. Where the last window would leave the image (PyTorch's ceil_mode), so are they.

import type { Graph, GraphNode, NodeName } from './graph.ts';
import { bool, type GraphDefNode, int, ints, shape, string, strings, type } from './tfjs-node.ts';
import { type Weight, weightsManifest, writeShards } from './tfjs-weights.ts';

export type TfjsFiles = {
  /** model.json. */
  model: object;
  /** Files that lie beside it. */
  shards: { name: string; bytes: Uint8Array }[];
};
type Parts = { nodes: GraphDefNode[]; weights: Weight[] };

const floats = { T: type('DT_FLOAT') };

/** The files of the model; `metadata` stands in model.json as userDefinedMetadata. */
export function writeTfjs(graph: Graph, metadata: object): TfjsFiles {
  const [, height, width, channels] = graph.inputShape;
  const nameOf = (name: NodeName) => (name === graph.output ? 'logits' : name);
  const parts = graph.nodes.map((node) => partsOf(node, graph, nameOf));
  const weights = parts.flatMap((part) => part.weights);
  const inputShape = [-1, height, width, channels];
  const nodes: GraphDefNode[] = [
    op('Placeholder', 'input', [], { dtype: type('DT_FLOAT'), shape: shape(inputShape) }),
    ...weights.map(({ name, dtype }) =>
      op('Const', name, [], { dtype: type(dtype === 'int32' ? 'DT_INT32' : 'DT_FLOAT') }),
    ),
    ...parts.flatMap((part) => part.nodes),
    op('Softmax', 'probabilities', ['logits'], floats),
  ];
  const shards = writeShards(weights);
  const model = {
    format: 'graph-model',
    generatedBy: 'onecycle',
    convertedBy: null,
    signature: {
      inputs: { input: tensorInfo('input', inputShape) },
      outputs: { probabilities: tensorInfo('probabilities', [-1, graph.classes]) },
    },
    userDefinedMetadata: metadata,
    modelTopology: { node: nodes, library: {}, versions: { producer: 1 } },
    weightsManifest: weightsManifest(weights, shards),
  };
  return { model, shards };
}

function tensorInfo(name: string, dims: number[]) {
  return { name: `${name}:0`, dtype: 'DT_FLOAT', tensorShape: shape(dims).shape };
}

function partsOf(node: GraphNode, graph: Graph, nameOf: (name: NodeName) => string): Parts {
  const name = nameOf(node.name);
  switch (node.op) {
    case 'conv': {
      const filter = float(`${node.name}/filter`, node.filterShape, node.filter);
      const bias = float(`${node.name}/bias`, [node.bias.length], node.bias);
      const { stride, pad } = node;
      const conv = op('_FusedConv2D', name, [nameOf(node.input), filter.name, bias.name], {
        ...floats,
        ...fused(node.relu),
        strides: ints([1, stride, stride, 1]),
        padding: string('EXPLICIT'),
        explicit_paddings: ints([0, 0, pad, pad, pad, pad, 0, 0]),
        data_format: string('NHWC'),
        dilations: ints([1, 1, 1, 1]),
      });
      return { nodes: [conv], weights: [filter, bias] };
    }
    case 'linear': {
      const weight = float(`${node.name}/weight`, node.weightShape, node.weight);
      const bias = float(`${node.name}/bias`, [node.bias.length], node.bias);
      const product = op('_FusedMatMul', name, [nameOf(node.input), weight.name, bias.name], {
        ...floats,
        ...fused(node.relu),
        transpose_a: bool(false),
        transpose_b: bool(true),
      });
      return { nodes: [product], weights: [weight, bias] };
    }
    case 'add': {
      const raw = node.relu ? `${name}/sum` : name;
      const sum = op('AddV2', raw, node.inputs.map(nameOf), floats);
      const nodes = node.relu ? [sum, op('Relu', name, [raw], floats)] : [sum];
      return { nodes, weights: [] };
    }
    case 'concat':
      return concat(name, node.inputs.map(nameOf), -1);
    case 'maxPool':
      return maxPool(node, name, nameOf(node.input), graph);
    case 'globalPool': {
      const axes = integers(`${node.name}/axes`, [2], [1, 2]);
      const over = (kind: string, as: string) =>
        op(kind, as, [nameOf(node.input), axes.name], { ...floats, keep_dims: bool(false) });
      if (!node.max) return { nodes: [over('Mean', name)], weights: [axes] };
      const both = [over('Max', `${name}/max`), over('Mean', `${name}/mean`)];
      const { nodes, weights } = concat(
        name,
        both.map((pool) => pool.name),
        1,
      );
      return { nodes: [...both, ...nodes], weights: [axes, ...weights] };
    }
  }
}

function maxPool(
  node: Extract<GraphNode, { op: 'maxPool' }>,
  name: string,
  input: string,
  graph: Graph,
): Parts {
  const { size, stride, pad, inputShape, outputShape } = node;
  if (!isNonNegative(node.input, graph)) {
    throw new Error(`writeTfjs: ${name} would take padding for a maximum`);
  }
  const behind = (axis: 1 | 2) => {
    const covered = ((outputShape[axis] ?? 0) - 1) * stride + size;
    return Math.max(0, covered - (inputShape[axis] ?? 0) - pad);
  };
  const window = ints([1, size, size, 1]);
  const pool = (from: string) =>
    op('MaxPool', name, [from], {
      ...floats,
      ksize: window,
      strides: ints([1, stride, stride, 1]),
      padding: string('VALID'),
      data_format: string('NHWC'),
    });
  const around = [0, 0, pad, behind(1), pad, behind(2), 0, 0];
  if (around.every((width) => width === 0)) return { nodes: [pool(input)], weights: [] };
  const paddings = integers(`${name}/paddings`, [4, 2], around);
  const padded = op('Pad', `${name}/padded`, [input, paddings.name], {
    ...floats,
    Tpaddings: type('DT_INT32'),
  });
  return { nodes: [padded, pool(padded.name)], weights: [paddings] };
}

/** Whether a node's output is never below zero, because everything in it has passed a ReLU. */
function isNonNegative(name: NodeName, graph: Graph): boolean {
  const node = graph.nodes.find((other) => other.name === name);
  if (!node) return false;
  if (node.op === 'maxPool') return isNonNegative(node.input, graph);
  if (node.op === 'concat') return node.inputs.every((input) => isNonNegative(input, graph));
  return node.op !== 'globalPool' && node.relu;
}

function concat(name: string, inputs: string[], at: number): Parts {
  const axis = integers(`${name}/axis`, [], [at]);
  const attributes = { ...floats, N: int(inputs.length), Tidx: type('DT_INT32') };
  return { nodes: [op('ConcatV2', name, [...inputs, axis.name], attributes)], weights: [axis] };
}

/** The bias, and the ReLU where there is one, of a fused op. */
function fused(relu: boolean): GraphDefNode['attr'] {
  return { num_args: int(1), fused_ops: strings(relu ? ['BiasAdd', 'Relu'] : ['BiasAdd']) };
}

function op(kind: string, name: string, input: string[], attr: GraphDefNode['attr']): GraphDefNode {
  return { name, op: kind, input, attr };
}

function float(name: string, dims: readonly number[], values: Float32Array): Weight {
  return { name, shape: [...dims], dtype: 'float32', values };
}

function integers(name: string, dims: number[], values: number[]): Weight {
  return { name, shape: dims, dtype: 'int32', values: Int32Array.from(values) };
}
