// Which backend of TF.js computes, chosen once per process.

import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import type { EngineInfo } from '../domain/event.ts';
import { Problem, problem } from '../domain/problem.ts';
import { batchNormKernels } from './js/batch-norm.ts';
import { convKernels } from './js/conv.ts';
import { elementwiseKernels } from './js/elementwise.ts';
import { computeInDouble, registerAddInDouble, registerJsKernels } from './js/kernel.ts';
import { linearKernels } from './js/linear.ts';
import { lossKernels } from './js/loss.ts';
import { poolKernels } from './js/pool.ts';
import { OnednnBackend } from './onednn/backend.ts';
import { registerOnednnKernels } from './onednn/kernels.ts';
import { loadNative } from './onednn/native.ts';

export type EngineOptions = {
  engine: 'auto' | 'onednn' | 'js' | 'tensorflow' | 'tensorflow-gpu';
  /** `f64` is the referee's alone. */
  precision: 'auto' | 'f32' | 'bf16' | 'f64';
  /** null: as many as the machine has. */
  threads: number | null;
};

let jsReady = false;
let onednnReady = false;

/**
 * Makes the engine TF.js's current backend. `auto` is onednn, or js where it is not built.
 * @throws Problem `engine_unavailable` with what was tried and the way out
 */
export async function startEngine(options: EngineOptions): Promise<EngineInfo> {
  const { engine, threads } = options;
  if (engine === 'js') return await startJs(options.precision);
  if (engine === 'tensorflow' || engine === 'tensorflow-gpu') {
    throw problem('engine_unavailable', `ENGINE=${engine} is not part of this installation`, {
      hint: 'Set ENGINE=auto: onednn where it is built, else js.',
    });
  }
  try {
    return await startOnednn(options.precision, threads);
  } catch (error) {
    if (engine === 'onednn' || !(error instanceof Problem)) throw error;
    return await startJs(options.precision);
  }
}

async function startJs(precision: EngineOptions['precision']): Promise<EngineInfo> {
  refuseBf16('the engine js', precision);
  if (!jsReady) {
    registerJsKernels({
      ...convKernels,
      ...batchNormKernels,
      ...poolKernels,
      ...linearKernels,
      ...elementwiseKernels,
      ...lossKernels,
    });
    registerAddInDouble();
    jsReady = true;
  }
  computeInDouble(precision === 'f64');
  await tf.setBackend('cpu');
  // the base class greets its first write with an advertisement
  Object.assign(tf.backend(), { firstUse: false });
  return { name: 'js', version: tf.version_core, isa: 'none', precision: 'f32', threads: 1 };
}

async function startOnednn(
  precision: EngineOptions['precision'],
  threads: number | null,
): Promise<EngineInfo> {
  const native = loadNative();
  const bf16 = precision === 'bf16' || (precision === 'auto' && native.multipliesBf16);
  if (bf16 && !native.multipliesBf16) refuseBf16(`onednn on this CPU (${native.isa})`, precision);
  if (!onednnReady) {
    tf.copyRegisteredKernels('cpu', 'onednn');
    registerOnednnKernels('onednn');
    tf.registerBackend('onednn', () => new OnednnBackend(native));
    onednnReady = true;
  }
  const used = threads ?? native.threadsMax;
  native.setThreads(used);
  await tf.setBackend('onednn');
  (tf.backend() as OnednnBackend).precision = bf16 ? 'bf16' : 'f32';
  return {
    name: 'onednn',
    version: native.dnnlVersion,
    isa: native.isa,
    precision: bf16 ? 'bf16' : 'f32',
    threads: used,
  };
}

function refuseBf16(engine: string, precision: EngineOptions['precision']): void {
  if (precision !== 'bf16') return;
  throw problem('engine_unavailable', `precision bf16: ${engine} computes in float32`, {
    hint: 'Set "precision": "auto" or "f32".',
  });
}
