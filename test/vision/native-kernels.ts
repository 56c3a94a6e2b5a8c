import { Problem } from '../../src/domain/problem.ts';
import { startEngine } from '../../src/engine/engine.ts';
import type { ImageKernels } from '../../src/engine/onednn/image-kernels.ts';
import { imageKernels } from '../../src/engine/onednn/render.ts';

/** The addon's image kernels, null where it is not built; the engine js is current afterwards. */
export async function builtKernels(): Promise<ImageKernels | null> {
  try {
    await startEngine({ engine: 'onednn', precision: 'f32', threads: null });
    return imageKernels();
  } catch (error) {
    if (error instanceof Problem) return null;
    throw error;
  } finally {
    await startEngine({ engine: 'js', precision: 'f32', threads: null });
  }
}

/** For node:test's `skip`: false, or why. */
export function notBuilt(kernels: ImageKernels | null): false | string {
  return kernels ? false : 'the addon is not built: npm run build:native';
}
