import type { Arch } from '../../domain/arch.ts';
import { childIndex } from '../resnet.ts';
import type { NamedTensor } from '../weights/safetensors.ts';

const childNames = new Map(
  Object.entries(childIndex).map(([name, index]) => [String(index), name]),
);

/**
 * fastai's names as torchvision's: `0.4.0.bn1.weight` -> `layer1.0.bn1.weight`. The head takes the place of
 * torchvision's own: a ResNet's `fc` begins behind pooling and flattening (`1.2` -> `fc.0`), a SqueezeNet's
 * `classifier` with them (`1.2` -> `classifier.2`), so that `load_state_dict` takes the file as it is.
 */
export function torchvisionNames(arch: Arch, tensors: readonly NamedTensor[]): NamedTensor[] {
  const rename = arch === 'squeezenet1_1' ? squeezenetName : resnetName;
  return tensors.map((tensor) => ({ ...tensor, name: rename(tensor.name) }));
}

function resnetName(name: string): string {
  const [part, index = '', ...rest] = name.split('.');
  if (part === '1') return ['fc', Number(index) - 2, ...rest].join('.');
  return [childNames.get(index), ...rest].join('.');
}

function squeezenetName(name: string): string {
  return name.startsWith('0.0.')
    ? `features.${name.slice('0.0.'.length)}`
    : `classifier.${name.slice('1.'.length)}`;
}
