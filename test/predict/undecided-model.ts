import type { Arch } from '../../src/domain/arch.ts';
import { readValues } from '../../src/engine/storage.ts';
import type { HeadOptions } from '../../src/models/head.ts';
import type { Model } from '../../src/models/model.ts';
import { loadStateDict } from '../../src/models/state-dict.ts';
import { trainedModel } from '../models/export/trained-model.ts';

/** A model that gives every class a chance: where answers are 0 and 1, a wrong image would pass for the right one. */
export function undecidedModel(arch: Arch, classes: number, head: HeadOptions): Model {
  const model = trainedModel(arch, classes, head);
  const last = model.parameters.filter(({ role }) => role === 'linear').at(-1);
  if (!last) throw new Error('a model without a linear layer');
  const softer = Float32Array.from(readValues(last.variable), (weight) => weight / 30);
  loadStateDict(model, (name) => (name === last.name ? softer : undefined));
  return model;
}
