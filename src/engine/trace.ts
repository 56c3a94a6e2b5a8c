// Which ops a forward pass is made of. A TF.js backend that computes nothing stands in for the engine: each op
// tells its output's shape and is written down, so an export is what `forward` does and no second description.

import * as tf from '@tensorflow/tfjs-core';
import { convShape } from './ops/conv.ts';
import { type PoolAttrs, poolShape } from './ops/pool.ts';

/** A tensor by its identity: `dataId` is what two uses of one tensor share. */
export type TracedTensor = { dataId: object; shape: number[] };
export type TracedOp = {
  kernel: string;
  inputs: Record<string, TracedTensor>;
  attrs: Record<string, unknown>;
  output: TracedTensor;
};
/** Ops in the order they ran. Inputs that no op made, and that are not `input`, are variables. */
export type Trace = { input: TracedTensor; ops: TracedOp[]; output: TracedTensor };

type Shapes = Record<string, number[]>;
/** The shape of the first output of each op that evaluation needs; the others' are not looked at. */
const outputShapes: Record<string, (inputs: Shapes, attrs: never) => number[]> = {
  OcConv: ({ x = [], filter = [] }, attrs) => convShape(x, filter, attrs),
  OcBatchNorm: ({ x = [] }) => x,
  OcRelu: ({ x = [] }) => x,
  OcConcat: ({ a = [], b = [] }) => [...a.slice(0, -1), (a.at(-1) ?? 0) + (b.at(-1) ?? 0)],
  OcMaxPool: ({ x = [] }, attrs: PoolAttrs) => poolShape(x, attrs),
  OcGlobalPool: ({ x = [] }, { max }: { max: boolean }) => [x[0] ?? 0, (max ? 2 : 1) * (x[3] ?? 0)],
  OcLinear: ({ x = [], weight = [] }) => [x[0] ?? 0, weight[0] ?? 0],
};
/** Ops whose kernel answers a list. */
const listed = new Set(['OcBatchNorm', 'OcGlobalPool']);
const backendName = 'trace';

let recording: TracedOp[] | null = null;

/** Runs `forward` on a tensor without values; the engine in use is back afterwards. */
export async function traceForward(
  forward: (x: tf.Tensor4D) => tf.Tensor,
  inputShape: [number, number, number, number],
): Promise<Trace> {
  if (!tf.findBackendFactory(backendName)) register();
  if (recording) throw new Error('traceForward: one trace at a time');
  const engine = tf.getBackend();
  const ops: TracedOp[] = [];
  recording = ops;
  await tf.setBackend(backendName);
  const input = placeholder(inputShape);
  let output = input;
  try {
    tf.tidy(() => {
      output = forward(tf.engine().makeTensorFromTensorInfo(input) as tf.Tensor4D);
    });
    return { input: traced(input), ops, output: traced(output) };
  } finally {
    recording = null;
    await tf.setBackend(engine);
  }
}

function register(): void {
  tf.registerBackend(backendName, () => new TraceBackend());
  for (const [kernelName, shapeOf] of Object.entries(outputShapes)) {
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc: ({ inputs: all, attrs = {} }) => {
        const inputs: TracedOp['inputs'] = {};
        for (const [name, info] of Object.entries(all)) {
          if (info) inputs[name] = traced(info as tf.TensorInfo);
        }
        const shapes = Object.fromEntries(
          Object.entries(inputs).map(([name, { shape }]) => [name, shape]),
        );
        const output = placeholder(shapeOf(shapes, attrs as never));
        recording?.push({ kernel: kernelName, inputs, attrs, output: traced(output) });
        return listed.has(kernelName) ? [output] : output;
      },
    });
  }
}

function placeholder(shape: number[]): tf.TensorInfo {
  return { dataId: {}, shape, dtype: 'float32' };
}

function traced({ dataId, shape }: tf.TensorInfo): TracedTensor {
  return { dataId, shape: [...shape] };
}

/** Holds no data. */
class TraceBackend extends tf.KernelBackend {
  override numDataIds(): number {
    return 0;
  }
  override disposeData(): boolean {
    return true;
  }
}
