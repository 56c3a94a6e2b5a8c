// A Graph as ONNX, opset 17: `input` float32 [batch,3,H,W] (NCHW, normalised RGB) -> `probabilities` and `logits`
// [batch,classes]. The batch is free, the size is the one that the model was trained at.

import type { ConvNode, Graph, GraphNode } from './graph.ts';
import {
  attributeTypes,
  encodeOnnx,
  floatType,
  type OnnxAttribute,
  type OnnxNode,
  type OnnxTensor,
  type OnnxValueInfo,
} from './onnx-schema.ts';

const opset = 17;
/** The IR version that opset 17 came with. */
const irVersion = 8;

type Parts = { nodes: OnnxNode[]; weights: OnnxTensor[] };

/** The file; `metadata` goes into it as ONNX's metadata_props. */
export function writeOnnx(graph: Graph, metadata: Record<string, string>): Uint8Array {
  const [, height, width, channels] = graph.inputShape;
  const nameOf = (name: string) => (name === graph.output ? 'logits' : name);
  const parts = graph.nodes.map((node) => partsOf(node, nameOf));
  const softmax = op('Softmax', ['logits'], 'probabilities', [int('axis', 1)]);
  return encodeOnnx({
    ir_version: irVersion,
    producer_name: 'onecycle',
    opset_import: [{ domain: '', version: opset }],
    metadata_props: Object.entries(metadata).map(([key, value]) => ({ key, value })),
    graph: {
      name: 'classifier',
      node: [...parts.flatMap(({ nodes }) => nodes), softmax],
      initializer: parts.flatMap(({ weights }) => weights),
      input: [batchOf('input', [channels, height, width])],
      output: [batchOf('probabilities', [graph.classes]), batchOf('logits', [graph.classes])],
    },
  });
}

function partsOf(node: GraphNode, nameOf: (name: string) => string): Parts {
  const output = nameOf(node.name);
  // what a ReLU follows has a name of its own
  const raw = 'relu' in node && node.relu ? `${node.name}.raw` : output;
  const relu = raw === output ? [] : [op('Relu', [raw], output, [])];
  switch (node.op) {
    case 'conv': {
      const [h, w, i, o] = node.filterShape;
      const { pad, stride } = node;
      const filter = tensor(`${node.name}.weight`, [o, i, h, w], outputsFirst(node));
      const bias = tensor(`${node.name}.bias`, [o], node.bias);
      const attributes = [
        ints('kernel_shape', [h, w]),
        ints('strides', [stride, stride]),
        ints('pads', [pad, pad, pad, pad]),
      ];
      const conv = op('Conv', [nameOf(node.input), filter.name, bias.name], raw, attributes);
      return { nodes: [conv, ...relu], weights: [filter, bias] };
    }
    case 'linear': {
      const weight = tensor(`${node.name}.weight`, node.weightShape, node.weight);
      const bias = tensor(`${node.name}.bias`, [node.bias.length], node.bias);
      const inputs = [nameOf(node.input), weight.name, bias.name];
      const gemm = op('Gemm', inputs, raw, [int('transB', 1)]);
      return { nodes: [gemm, ...relu], weights: [weight, bias] };
    }
    case 'add':
      return { nodes: [op('Add', node.inputs.map(nameOf), raw, []), ...relu], weights: [] };
    case 'concat': {
      const concat = op('Concat', node.inputs.map(nameOf), output, [int('axis', 1)]);
      return { nodes: [concat], weights: [] };
    }
    case 'maxPool': {
      const { size, stride, pad, ceil } = node;
      const attributes = [
        ints('kernel_shape', [size, size]),
        ints('strides', [stride, stride]),
        ints('pads', [pad, pad, pad, pad]),
        int('ceil_mode', ceil ? 1 : 0),
      ];
      return { nodes: [op('MaxPool', [nameOf(node.input)], output, attributes)], weights: [] };
    }
    case 'globalPool': {
      const input = [nameOf(node.input)];
      const mean = op('GlobalAveragePool', input, `${node.name}.mean`, []);
      if (!node.max) return { nodes: [mean, flatten(mean, output)], weights: [] };
      const max = op('GlobalMaxPool', input, `${node.name}.max`, []);
      const both = [...max.output, ...mean.output];
      const concat = op('Concat', both, `${node.name}.both`, [int('axis', 1)]);
      return { nodes: [max, mean, concat, flatten(concat, output)], weights: [] };
    }
  }
}

/** [N,C,1,1] -> [N,C]. */
function flatten({ output: input }: OnnxNode, output: string): OnnxNode {
  return op('Flatten', input, output, [int('axis', 1)]);
}

/** A node called by what it makes. */
function op(
  op_type: string,
  input: string[],
  output: string,
  attribute: OnnxAttribute[],
): OnnxNode {
  return { name: output, op_type, input, output: [output], attribute };
}

function int(name: string, i: number): OnnxAttribute {
  return { name, type: attributeTypes.int, i };
}

function ints(name: string, values: number[]): OnnxAttribute {
  return { name, type: attributeTypes.ints, ints: values };
}

function tensor(name: string, dims: readonly number[], values: Float32Array): OnnxTensor {
  const raw_data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  return { name, dims: [...dims], data_type: floatType, raw_data };
}

/** A value whose first dimension is the batch. */
function batchOf(name: string, rest: readonly number[]): OnnxValueInfo {
  const dim = [{ dim_param: 'batch' }, ...rest.map((dim_value) => ({ dim_value }))];
  return { name, type: { tensor_type: { elem_type: floatType, shape: { dim } } } };
}

/** [H,W,I,O] -> [O,I,H,W]. */
function outputsFirst({ filter, filterShape: [h, w, i, o] }: ConvNode): Float32Array {
  const result = new Float32Array(filter.length);
  let from = 0;
  for (let tap = 0; tap < h * w; tap++) {
    for (let input = 0; input < i; input++) {
      for (let output = 0; output < o; output++) {
        result[(output * i + input) * h * w + tap] = filter[from++] ?? 0;
      }
    }
  }
  return result;
}
