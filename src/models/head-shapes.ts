// What a head is, told from its tensors alone. A file holds no dropout, only the gap that one leaves between the
// numbers of the layers (head.ts); what it was is fastai's 0.5 then.

import type { StoredTensor } from './weights/stored-tensor.ts';

export type FoundHead = {
  classes: number;
  lin_ftrs: number[];
  /** Dropout before each linear layer. */
  ps: number[];
  concat_pool: boolean;
  bn_final: boolean;
};

/** Reads a head of fastai's form out of its tensors' names (`1.2.weight` …) and shapes; null when it is another. */
export function foundHead(
  tensors: ReadonlyMap<string, StoredTensor>,
  features: number,
): FoundHead | null {
  const layers = [...new Set([...tensors.keys()].map((name) => Number(name.split('.')[1])))].sort(
    (a, b) => a - b,
  );
  const shape = (index: number, part: string) => tensors.get(`1.${index}.${part}`)?.shape ?? [];
  const linear = layers.filter((index) => shape(index, 'weight').length === 2);
  const outputs = linear.map((index) => shape(index, 'weight')[0] ?? 0);
  const [first = 0] = linear.map((index) => shape(index, 'weight')[1] ?? 0);
  const last = linear.at(-1) ?? 0;
  const classes = outputs.at(-1) ?? 0;
  const lin_ftrs = outputs.slice(0, -1);
  const concat_pool = first === 2 * features;
  const bn_final = layers.some((index) => index > last);
  const gaps = linear.map((index) => index - (layers[layers.indexOf(index) - 1] ?? index) > 1);
  const ps = gaps.map((gap, i) => (!gap ? 0 : i < lin_ftrs.length ? 0.25 : 0.5));
  const expected = expectedShapes({ lin_ftrs, ps, concat_pool, bn_final, classes }, features);
  const fits =
    linear.length > 0 &&
    tensors.size === expected.size &&
    [...expected].every(([name, size]) => `${tensors.get(name)?.shape}` === `${size}`);
  return fits ? { classes, lin_ftrs, ps, concat_pool, bn_final } : null;
}

function expectedShapes(head: FoundHead, features: number): Map<string, number[]> {
  const shapes = new Map<string, number[]>();
  const batchNorm = (index: number, channels: number) => {
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) {
      shapes.set(`1.${index}.${part}`, [channels]);
    }
  };
  let inC = head.concat_pool ? 2 * features : features;
  let index = 2;
  [...head.lin_ftrs, head.classes].forEach((outC, i) => {
    batchNorm(index++, inC);
    if (head.ps[i] !== 0) index++;
    shapes.set(`1.${index}.weight`, [outC, inC]);
    shapes.set(`1.${index}.bias`, [outC]);
    // the ReLU behind a hidden layer has a number too
    index += 2;
    inC = outC;
  });
  if (head.bn_final) batchNorm(index - 1, head.classes);
  return shapes;
}
