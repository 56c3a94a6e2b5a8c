// A network as an export sees it: what evaluation computes and nothing else. Dropout is gone, every batch norm is
// folded into the convolution or linear layer beside it, ReLUs belong to what they follow.

/** Names of nodes; `input` is the graph's own. */
export type NodeName = string;

export type ConvNode = {
  op: 'conv';
  name: NodeName;
  input: NodeName;
  /** [H,W,I,O]. */
  filter: Float32Array;
  filterShape: [number, number, number, number];
  bias: Float32Array;
  stride: number;
  pad: number;
  relu: boolean;
};
export type LinearNode = {
  op: 'linear';
  name: NodeName;
  input: NodeName;
  /** [O,I]. */
  weight: Float32Array;
  weightShape: [number, number];
  bias: Float32Array;
  relu: boolean;
};
export type GraphNode =
  | ConvNode
  | LinearNode
  | { op: 'add'; name: NodeName; inputs: [NodeName, NodeName]; relu: boolean }
  | { op: 'concat'; name: NodeName; inputs: [NodeName, NodeName] }
  | {
      op: 'maxPool';
      name: NodeName;
      input: NodeName;
      size: number;
      stride: number;
      pad: number;
      ceil: boolean;
      /** NHWC. */
      inputShape: number[];
      outputShape: number[];
    }
  /** Over the whole image, flattened: with `max` the maxima first, then the means. */
  | { op: 'globalPool'; name: NodeName; input: NodeName; max: boolean };

/** Shapes are NHWC with a batch of 1; the nodes stand in an order that can be computed. */
export type Graph = {
  inputShape: [number, number, number, number];
  nodes: GraphNode[];
  /** The node whose output are the logits. */
  output: NodeName;
  classes: number;
};
