import type { Arch } from '../domain/arch.ts';
import { resnetName } from './resnet.ts';
import { squeezenetName } from './squeezenet-facts.ts';

/** fastai's name of a torchvision weight; null for what lies outside the body. */
export function bodyName(arch: Arch, torchvision: string): string | null {
  return arch === 'squeezenet1_1' ? squeezenetName(torchvision) : resnetName(torchvision);
}
