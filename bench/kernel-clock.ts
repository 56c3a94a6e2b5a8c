// Each kernel's time inside real training steps, by shape: the engine's kernels are replaced by themselves with
// a clock around them, so that they meet the storage, the caches and the memory that they meet in training.

import * as tf from '@tensorflow/tfjs-core';

const backendName = 'onednn';

export type KernelTime = {
  kernel: string;
  /** Shapes of its inputs and outputs, by name; an output is `out`, or `out0`, `out1` … */
  shapes: Record<string, number[]>;
  attrs: Record<string, unknown>;
  seconds: number[];
};

/** Runs with the clock on. */
export async function timeKernels(run: () => Promise<unknown>): Promise<KernelTime[]> {
  const times = new Map<string, KernelTime>();
  const originals = tf
    .getKernelsForBackend(backendName)
    .filter(({ kernelName }) => kernelName.startsWith('Oc') || kernelName === 'Add');
  for (const original of originals) replace(original, timed(original, times));
  try {
    await run();
  } finally {
    for (const original of originals) replace(original, original);
  }
  return [...times.values()];
}

function replace({ kernelName }: tf.KernelConfig, by: tf.KernelConfig): void {
  tf.unregisterKernel(kernelName, backendName);
  tf.registerKernel(by);
}

function timed(original: tf.KernelConfig, times: Map<string, KernelTime>): tf.KernelConfig {
  return {
    ...original,
    kernelFunc: (call) => {
      const begun = performance.now();
      const result = original.kernelFunc(call);
      const seconds = (performance.now() - begun) / 1000;
      const shapes = shapesOf(call.inputs, result);
      const attrs = (call.attrs ?? {}) as Record<string, unknown>;
      // a dropout's seed is another each time
      const { seed: _, ...lasting } = attrs;
      const key = JSON.stringify([original.kernelName, shapes, lasting]);
      const time = times.get(key) ?? {
        kernel: original.kernelName,
        shapes,
        attrs: lasting,
        seconds: [],
      };
      time.seconds.push(seconds);
      times.set(key, time);
      return result;
    },
  };
}

function shapesOf(inputs: tf.NamedTensorInfoMap, result: tf.TensorInfo | tf.TensorInfo[]) {
  const shapes: Record<string, number[]> = {};
  for (const [name, info] of Object.entries(inputs)) if (info) shapes[name] = info.shape;
  if (Array.isArray(result)) {
    result.forEach((info, i) => {
      shapes[`out${i}`] = info.shape;
    });
  } else shapes.out = result.shape;
  return shapes;
}
