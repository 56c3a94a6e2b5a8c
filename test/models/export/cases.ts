import type { Arch } from '../../../src/domain/arch.ts';
import type { HeadOptions } from '../../../src/models/head.ts';

type Case = { name: string; arch: Arch; size: [number, number]; head: HeadOptions };

const standard: HeadOptions = { lin_ftrs: [512], ps: 0.5, concat_pool: true, bn_final: false };

/** Every architecture, size and head that takes another way through an export. */
export const exportCases: Case[] = [
  { name: 'resnet18, digits', arch: 'resnet18', size: [28, 28], head: standard },
  { name: 'resnet34, a wide image', arch: 'resnet34', size: [33, 49], head: standard },
  { name: 'resnet50', arch: 'resnet50', size: [33, 33], head: standard },
  // 35 px: a window of the first pooling begins inside the image and ends outside
  { name: 'squeezenet1_1, odd size', arch: 'squeezenet1_1', size: [37, 35], head: standard },
  {
    name: 'two hidden layers without dropout, a final batch norm',
    arch: 'resnet18',
    size: [32, 32],
    head: { lin_ftrs: [64, 32], ps: 0, concat_pool: true, bn_final: true },
  },
  {
    name: 'no hidden layer, means alone',
    arch: 'squeezenet1_1',
    size: [33, 48],
    head: { lin_ftrs: [], ps: [0.25], concat_pool: false, bn_final: false },
  },
];
