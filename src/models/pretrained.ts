import { readFile } from 'node:fs/promises';
import type { Arch } from '../domain/arch.ts';
import { finiteValues, fitWeights } from './fit-weights.ts';
import type { Model } from './model.ts';
import { loadStateDict } from './state-dict.ts';
import { readWeights } from './weights/weights-file.ts';

/**
 * Puts a file's weights into the body, and into the head too where it is to be kept; else the head stays as it is.
 * @throws Problem `weights_invalid` when the file is not of this architecture, or has no such head
 */
export async function loadPretrained(
  model: Model,
  from: { arch: Arch; path: string; keepHead: boolean },
): Promise<void> {
  const { tensors } = await readWeights(await readFile(from.path));
  const { body, head } = fitWeights(from.arch, tensors);
  const named = new Map([...body, ...(from.keepHead ? (head?.tensors ?? []) : [])]);
  const set = loadStateDict(model, (name) => {
    const tensor = named.get(name);
    return tensor && finiteValues(tensor);
  });
  if (set.length !== named.size) {
    throw new Error('the head in the file is not the one that the model was made with');
  }
}
