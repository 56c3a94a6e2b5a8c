import { openSafetensors } from './safetensors.ts';
import { broken, type StoredTensor, shown } from './stored-tensor.ts';
import { isTorchLegacy, isTorchZip, readTorchLegacy, readTorchZip } from './torch-file.ts';
import { storedTensor, TorchTensor } from './torch-objects.ts';

/** `leftOut` names what the file holds beside the model: an optimiser, an epoch. */
export type WeightsFile = {
  format: 'torch' | 'safetensors';
  tensors: StoredTensor[];
  leftOut: string[];
};

/** Where checkpoints keep the model: fastai's learn.save, then what most training scripts write. */
const modelKeys = ['model', 'state_dict', 'model_state_dict'];

/**
 * The tensors of a weights file, known by its first bytes: torch.save's two containers, or safetensors.
 * @throws Problem `weights_invalid`
 */
export async function readWeights(file: Buffer): Promise<WeightsFile> {
  if (isTorchZip(file)) return stateDictOf(await readTorchZip(file));
  if (isTorchLegacy(file)) return stateDictOf(readTorchLegacy(file));
  if (file.length > 8 && file[8] === 0x7b) {
    const tensors = [...openSafetensors(file).tensors.values()];
    return { format: 'safetensors', tensors, leftOut: [] };
  }
  const begin = file.subarray(0, 24).toString('latin1');
  throw broken(
    file.length === 0
      ? 'The weights file is empty'
      : `The weights file begins with ${JSON.stringify(begin)}: neither a .pth of torch.save nor safetensors`,
  );
}

function stateDictOf(saved: unknown): WeightsFile {
  if (!(saved instanceof Map)) {
    throw broken(`The file holds ${kindOf(saved)}, expected a state_dict: names and their tensors`);
  }
  const key = modelKeys.find((name) => saved.get(name) instanceof Map);
  const dict = key === undefined ? saved : (saved.get(key) as Map<unknown, unknown>);
  const leftOut = key === undefined ? [] : [...saved.keys()].filter((name) => name !== key);
  const entries = [...dict].map(([name, value]) => {
    if (typeof name === 'string' && value instanceof TorchTensor) return [name, value] as const;
    throw broken(`The state_dict has ${shown(name)}, which is ${kindOf(value)}, expected a tensor`);
  });
  if (entries.length === 0) throw broken('The state_dict is empty');
  // torch.nn.DataParallel puts `module.` before every name
  const parallel = entries.every(([name]) => name.startsWith('module.'));
  const tensors = entries.map(([name, tensor]) =>
    storedTensor(parallel ? name.slice('module.'.length) : name, tensor),
  );
  return { format: 'torch', tensors, leftOut: leftOut.map((name) => String(name).slice(0, 200)) };
}

function kindOf(value: unknown): string {
  if (value instanceof TorchTensor) return 'a tensor';
  if (value instanceof Map) return 'a dictionary';
  return Array.isArray(value) ? 'a list' : value === null ? 'None' : `a ${typeof value}`;
}
