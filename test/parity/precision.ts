// Which figures a run on an engine is held to.

import { type FloatArray, stored, writeValues } from '../../src/engine/storage.ts';
import type { Model } from '../../src/models/model.ts';

/** `f64`: the referee in double precision, held to the double figures; `f32`: an engine in single. */
export type Held = 'f64' | 'f32';

/** A golden field by its precision: `loss` -> loss_f64 or loss_f32. */
export function field<T>(of: Record<string, unknown>, name: string, held: Held): T | undefined {
  return of[`${name}_${held}`] as T | undefined;
}

export function floats(values: ArrayLike<number>, held: Held): FloatArray {
  return held === 'f64' ? Float64Array.from(values) : Float32Array.from(values);
}

/** Gives a model's variables double storage. */
export function doubled(model: Model): void {
  for (const { variable } of [...model.parameters, ...model.buffers]) {
    const values = Float64Array.from(stored(variable).values);
    stored(variable).values = new Float64Array(values.length);
    writeValues(variable, values);
  }
}
