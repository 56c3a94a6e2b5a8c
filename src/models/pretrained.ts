import { readFile } from 'node:fs/promises';
import type { Arch } from '../domain/arch.ts';
import { problem } from '../domain/problem.ts';
import { bodyName } from './create-model.ts';
import type { Model } from './model.ts';
import { loadStateDict } from './state-dict.ts';
import { readSafetensors } from './weights/safetensors.ts';

/**
 * Puts a file's weights into the body; the head stays. Names are torchvision's (`layer1.0.conv1.weight`) or
 * those of a model trained here (`0.4.0.conv1.weight`).
 * @throws Problem `pretrained_unknown` when the file is not a body of this architecture
 */
export async function loadBody(model: Model, arch: Arch, path: string): Promise<void> {
  const { tensors } = readSafetensors(await readFile(path));
  const byName = new Map(
    [...tensors.values()].map((t) => [
      t.name.startsWith('0.') ? t.name : bodyName(arch, t.name),
      t,
    ]),
  );
  const body = [...model.parameters, ...model.buffers].filter(({ name }) => name.startsWith('0.'));
  for (const part of body) {
    const tensor = byName.get(part.name);
    if (!tensor || tensor.values.length !== part.variable.size) {
      throw problem(
        'pretrained_unknown',
        `The weights file holds no ${arch} body: ${part.name} ${tensor ? `has ${tensor.values.length} values instead of ${part.variable.size}` : 'is missing'}`,
      );
    }
  }
  loadStateDict(model, (name) => (name.startsWith('0.') ? byName.get(name)?.values : undefined));
}
