// Tensors as files hold them: found by name, decoded only when somebody wants the values.

import { problem } from '../../domain/problem.ts';

/** Floats as weights come in; whatever else a file may hold is told apart, never decoded. */
export type FloatType = 'f32' | 'f16' | 'bf16' | 'f64';

/**
 * A tensor that is still in the file; `type` is the file's own word for it where it is no float. Values lie row by
 * row, whatever the file's strides.
 */
export type StoredTensor = {
  name: string;
  shape: number[];
  type: FloatType | (string & {});
  /** Decodes. @throws Problem `weights_invalid` when they are no floats */
  values(): Float32Array;
};

export const floatBytes: Record<FloatType, number> = { f32: 4, f16: 2, bf16: 2, f64: 8 };

/** How many values a shape has; null where the number is not one that memory can hold. */
export function countOf(shape: readonly number[]): number | null {
  let count = 1;
  for (const size of shape) {
    if (!Number.isSafeInteger(size) || size < 0) return null;
    count *= size;
  }
  return count <= 2 ** 31 ? count : null;
}

/** A Problem for a file that is not what it should be. */
export function broken(detail: string, options: { hint?: string; cause?: unknown } = {}) {
  return problem('weights_invalid', detail, options);
}

/** A name out of a file, fit for a message. */
export function shown(name: unknown): string {
  return JSON.stringify(String(name).slice(0, 200));
}
