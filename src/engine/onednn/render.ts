// Which kernels for images the engine in use has.

import * as tf from '@tensorflow/tfjs-core';
import { OnednnBackend } from './backend.ts';
import type { ImageKernels } from './image-kernels.ts';

/** The image kernels of the current engine, null where it has none. */
export function imageKernels(): ImageKernels | null {
  // asked by name first: tf.backend() would choose an engine where none was
  if (tf.getBackend() !== 'onednn') return null;
  const backend = tf.backend();
  // the addon is one object; native.ts types its other half
  return backend instanceof OnednnBackend ? (backend.native as unknown as ImageKernels) : null;
}
