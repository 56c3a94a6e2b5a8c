import assert from 'node:assert/strict';
import * as tf from '@tensorflow/tfjs-core';
import { startEngine } from '../../src/engine/engine.ts';
import { OnednnBackend } from '../../src/engine/onednn/backend.ts';

/** The backend, or null and the reason to skip. */
export async function started(precision: 'f32' | 'bf16', threads: number | null = null) {
  try {
    await startEngine({ engine: 'onednn', precision, threads });
  } catch (error) {
    return { backend: null, reason: (error as Error).message };
  }
  const backend = tf.backend() as unknown;
  assert.ok(backend instanceof OnednnBackend);
  return { backend, reason: '' };
}
