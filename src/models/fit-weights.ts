// A file's tensors against an architecture: which is which part of the model, and what does not fit. Names are
// fastai's (`0.4.0.conv1.weight`, as learn.save and onecycle write them) or torchvision's (`layer1.0.conv1.weight`).

import type { Arch } from '../domain/arch.ts';
import { bodyName } from './body-name.ts';
import { bodyFeatures, bodyShapes } from './body-shapes.ts';
import { type FoundHead, foundHead } from './head-shapes.ts';
import { broken, type StoredTensor, shown } from './weights/stored-tensor.ts';

const namesShown = 10;

export type FittedWeights = {
  /** The body's tensors under fastai's names: all of them, each of its shape. */
  body: Map<string, StoredTensor>;
  /** A head of fastai's form behind it, where the file has one. */
  head: (FoundHead & { tensors: Map<string, StoredTensor> }) | null;
  /** Names in the file that are no part of either: torchvision's own classifier, another head, counters of batches. */
  leftOut: string[];
};

/**
 * Finds body and head among the tensors.
 * @throws Problem `weights_invalid` with the names that are missing, unexpected or misshapen
 */
export function fitWeights(arch: Arch, tensors: readonly StoredTensor[]): FittedWeights {
  const body = new Map<string, StoredTensor>();
  const behind = new Map<string, StoredTensor>();
  const leftOut: string[] = [];
  const unexpected: string[] = [];
  const misshapen: string[] = [];
  const expected = bodyShapes(arch);
  for (const tensor of tensors) {
    const name = ourName(arch, tensor.name);
    if (name === null || /\.num_batches_tracked$/.test(tensor.name)) leftOut.push(tensor.name);
    else if (name.startsWith('1.')) behind.set(name, tensor);
    else {
      const shape = expected.get(name);
      if (!shape || body.has(name)) unexpected.push(tensor.name);
      else if (!sameShape(shape, tensor.shape)) {
        misshapen.push(`${tensor.name} is [${tensor.shape}] instead of [${shape}]`);
      }
      body.set(name, tensor);
    }
  }
  const missing = [...expected.keys()].filter((name) => !body.has(name));
  const faults = [
    listed('missing', missing),
    listed('unexpected', unexpected),
    listed('misshapen', misshapen),
  ].filter((fault) => fault !== null);
  if (faults.length > 0) {
    throw broken(`The weights are not those of a ${arch}: ${faults.join('; ')}`, {
      hint: 'Check `arch`. Names are torchvision’s (layer1.0.conv1.weight) or fastai’s (0.4.0.conv1.weight).',
    });
  }
  const found = foundHead(behind, bodyFeatures(arch));
  if (found) return { body, head: { ...found, tensors: behind }, leftOut };
  leftOut.push(...[...behind.values()].map(({ name }) => name));
  return { body, head: null, leftOut };
}

/** Decoded, and fit to train from. @throws Problem `weights_invalid` where a value is not finite */
export function finiteValues(tensor: StoredTensor): Float32Array {
  const values = tensor.values();
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return values;
  throw broken(
    `${shown(tensor.name)} holds ${values[at]} at place ${at}: weights are finite numbers`,
  );
}

/** fastai's name; `1.…` for a head of fastai's form, null for what no body of fastai's has: torchvision's classifier. */
function ourName(arch: Arch, name: string): string | null {
  if (/^[01]\./.test(name)) return name;
  // heads as onecycle exports them under torchvision's names begin behind pooling and flattening
  const [, place = ''] = /^(?:fc|classifier)\.(\d+)\./.exec(name) ?? [];
  if (/^fc\.(weight|bias)$|^classifier\.1\.(weight|bias)$/.test(name)) return null;
  if (place !== '') {
    const index = Number(place) + (arch === 'squeezenet1_1' ? 0 : 2);
    return `1.${index}.${name.split('.').slice(2).join('.')}`;
  }
  return bodyName(arch, name) ?? name;
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, d) => size === b[d]);
}

function listed(what: string, names: readonly string[]): string | null {
  if (names.length === 0) return null;
  const first = names.slice(0, namesShown).map((name) => name.slice(0, 200));
  const more = names.length > namesShown ? ` and ${names.length - namesShown} more` : '';
  return `${what}: ${first.join(', ')}${more}`;
}
