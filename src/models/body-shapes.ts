// The tensors of a body without the body: names and PyTorch shapes, for whoever checks a file and has no engine.

import type { Arch } from '../domain/arch.ts';
import { resnets } from './resnet.ts';
import { fires } from './squeezenet-facts.ts';

/** Every parameter and buffer of the body under fastai's names. */
export function bodyShapes(arch: Arch): Map<string, number[]> {
  return new Map(arch === 'squeezenet1_1' ? squeezenetShapes() : resnetShapes(arch));
}

/** Channels that come out of the body. */
export function bodyFeatures(arch: Arch): number {
  return arch === 'resnet50' ? 2048 : 512;
}

type Shapes = [string, number[]][];

function resnetShapes(arch: keyof typeof resnets): Shapes {
  const { block, depths } = resnets[arch];
  const shapes: Shapes = [['0.0.weight', [64, 3, 7, 7]], ...batchNorm('0.1', 64)];
  let channels = 64;
  depths.forEach((depth, stage) => {
    const width = 64 * 2 ** stage;
    const out = block === 'basic' ? width : 4 * width;
    for (let i = 0; i < depth; i++) {
      const name = `0.${4 + stage}.${i}`;
      const convolutions =
        block === 'basic'
          ? [[width, channels, 3] as const, [width, width, 3] as const]
          : [[width, channels, 1] as const, [width, width, 3] as const, [out, width, 1] as const];
      convolutions.forEach(([outC, inC, kernel], k) => {
        shapes.push([`${name}.conv${k + 1}.weight`, [outC, inC, kernel, kernel]]);
        shapes.push(...batchNorm(`${name}.bn${k + 1}`, outC));
      });
      if (i === 0 && (stage > 0 || channels !== out)) {
        shapes.push([`${name}.downsample.0.weight`, [out, channels, 1, 1]]);
        shapes.push(...batchNorm(`${name}.downsample.1`, out));
      }
      channels = out;
    }
  });
  return shapes;
}

function squeezenetShapes(): Shapes {
  const shapes = convolution('0.0.0', 64, 3, 3);
  let channels = 64;
  for (const { index, squeeze, expand } of fires) {
    const name = `0.0.${index}`;
    shapes.push(...convolution(`${name}.squeeze`, squeeze, channels, 1));
    shapes.push(...convolution(`${name}.expand1x1`, expand, squeeze, 1));
    shapes.push(...convolution(`${name}.expand3x3`, expand, squeeze, 3));
    channels = 2 * expand;
  }
  return shapes;
}

/** With bias. */
function convolution(name: string, outC: number, inC: number, kernel: number): Shapes {
  return [
    [`${name}.weight`, [outC, inC, kernel, kernel]],
    [`${name}.bias`, [outC]],
  ];
}

function batchNorm(name: string, channels: number): Shapes {
  return ['weight', 'bias', 'running_mean', 'running_var'].map((part) => [
    `${name}.${part}`,
    [channels],
  ]);
}
