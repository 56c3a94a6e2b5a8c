// A model's weights under fastai's state_dict names and in PyTorch's layout, out and in.

import { readValues, writeValues } from '../engine/storage.ts';
import type { Model, Parameter } from './model.ts';
import type { NamedTensor } from './weights/safetensors.ts';

/** Every parameter and buffer, in the order of the model. */
export function stateDict(model: Model): NamedTensor[] {
  return [
    ...model.parameters.map((parameter) => ({
      name: parameter.name,
      shape: parameter.torchShape,
      values: toTorch(parameter, Float32Array.from(readValues(parameter.variable))),
    })),
    ...model.buffers.map(({ name, variable }) => ({
      name,
      shape: variable.shape,
      values: Float32Array.from(readValues(variable)),
    })),
  ];
}

/** Overwrites what `values` names; the rest stays. Returns the names that were set. */
export function loadStateDict(
  model: Model,
  values: (name: string) => ArrayLike<number> | undefined,
): string[] {
  const set: string[] = [];
  for (const parameter of model.parameters) {
    const torch = values(parameter.name);
    if (!torch) continue;
    writeValues(parameter.variable, fromTorch(parameter, torch));
    set.push(parameter.name);
  }
  for (const { name, variable } of model.buffers) {
    const torch = values(name);
    if (!torch) continue;
    writeValues(variable, torch);
    set.push(name);
  }
  return set;
}

/** [H,W,I,O] -> [O,I,H,W] for a filter; everything else lies as in PyTorch. */
function toTorch(parameter: Parameter, values: Float32Array): Float32Array {
  if (parameter.role !== 'filter') return values;
  const result = new Float32Array(values.length);
  eachTap(parameter, (torch, here) => {
    result[torch] = values[here] as number;
  });
  return result;
}

/** [O,I,H,W] -> [H,W,I,O] for a filter. */
function fromTorch(parameter: Parameter, values: ArrayLike<number>): ArrayLike<number> {
  if (parameter.role !== 'filter') return values;
  const result = new Float64Array(values.length);
  eachTap(parameter, (torch, here) => {
    result[here] = values[torch] as number;
  });
  return result;
}

function eachTap(parameter: Parameter, visit: (torch: number, here: number) => void): void {
  const [o = 0, i = 0, h = 0, w = 0] = parameter.torchShape;
  let torch = 0;
  for (let out = 0; out < o; out++)
    for (let input = 0; input < i; input++)
      for (let tap = 0; tap < h * w; tap++) visit(torch++, (tap * i + input) * o + out);
}
