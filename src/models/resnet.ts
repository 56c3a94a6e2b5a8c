// ResNet bodies (He 2015, torchvision v1.5 layout) as fastai cuts them: children 0..7 without pooling and
// fc. Children 0..5 are layer group 0, layer3 and layer4 (6 and 7) are group 1 (fastai _resnet_split).

import type * as tf from '@tensorflow/tfjs-core';
import type { Layer, ModelBuilder } from './model.ts';

export type ResnetFacts = {
  kind: 'resnet';
  block: 'basic' | 'bottleneck';
  depths: readonly number[];
};

export const resnets = {
  resnet18: { kind: 'resnet', block: 'basic', depths: [2, 2, 2, 2] },
  resnet34: { kind: 'resnet', block: 'basic', depths: [3, 4, 6, 3] },
  resnet50: { kind: 'resnet', block: 'bottleneck', depths: [3, 4, 6, 3] },
} as const satisfies Record<string, ResnetFacts>;

/** torchvision's child names, and the place of each in fastai's body. */
export const childIndex: Record<string, number> = {
  conv1: 0,
  bn1: 1,
  layer1: 4,
  layer2: 5,
  layer3: 6,
  layer4: 7,
};

/** `layer1.0.bn1.weight` -> `0.4.0.bn1.weight`; null for what the body leaves out (fc). */
export function resnetName(torchvision: string): string | null {
  const [child = '', ...rest] = torchvision.split('.');
  const index = childIndex[child];
  return index === undefined ? null : ['0', index, ...rest].join('.');
}

/** Adds the body: [N,H,W,3] -> [N,ceil(H/32),ceil(W/32),features]. */
export function resnetBody(
  builder: ModelBuilder,
  facts: ResnetFacts,
): { forward: Layer; features: number } {
  const expansion = facts.block === 'basic' ? 1 : 4;
  builder.group = 0;
  const conv1 = builder.conv('0.0', 3, 64, 7, 2, 3);
  const bn1 = builder.batchNormMaxPool('0.1', 64);
  const blocks: Layer[] = [];
  let channels = 64;
  facts.depths.forEach((depth, stage) => {
    builder.group = stage < 2 ? 0 : 1;
    const width = 64 * 2 ** stage;
    for (let i = 0; i < depth; i++) {
      const stride = i === 0 && stage > 0 ? 2 : 1;
      const name = `0.${4 + stage}.${i}`;
      const block = facts.block === 'basic' ? basicBlock : bottleneck;
      blocks.push(block(builder, name, channels, width, stride));
      channels = width * expansion;
    }
  });
  const forward: Layer = (x, mode) => {
    const stem = bn1(conv1(x, mode), mode);
    return blocks.reduce((h, block) => block(h, mode), stem);
  };
  return { forward, features: channels };
}

function basicBlock(
  b: ModelBuilder,
  name: string,
  inC: number,
  width: number,
  stride: number,
): Layer {
  const conv1 = b.conv(`${name}.conv1`, inC, width, 3, stride, 1);
  const bn1 = b.batchNorm(`${name}.bn1`, width, { relu: true });
  const conv2 = b.conv(`${name}.conv2`, width, width, 3, 1, 1);
  const bn2 = b.batchNorm(`${name}.bn2`, width, { relu: true });
  const shortcut = downsample(b, name, inC, width, stride);
  return (x, mode) => bn2(conv2(bn1(conv1(x, mode), mode), mode), mode, shortcut(x, mode));
}

function bottleneck(
  b: ModelBuilder,
  name: string,
  inC: number,
  width: number,
  stride: number,
): Layer {
  const conv1 = b.conv(`${name}.conv1`, inC, width, 1);
  const bn1 = b.batchNorm(`${name}.bn1`, width, { relu: true });
  const conv2 = b.conv(`${name}.conv2`, width, width, 3, stride, 1);
  const bn2 = b.batchNorm(`${name}.bn2`, width, { relu: true });
  const conv3 = b.conv(`${name}.conv3`, width, 4 * width, 1);
  const bn3 = b.batchNorm(`${name}.bn3`, 4 * width, { relu: true });
  const shortcut = downsample(b, name, inC, 4 * width, stride);
  return (x, mode) => {
    const inner = bn2(conv2(bn1(conv1(x, mode), mode), mode), mode);
    return bn3(conv3(inner, mode), mode, shortcut(x, mode));
  };
}

function downsample(
  b: ModelBuilder,
  name: string,
  inC: number,
  outC: number,
  stride: number,
): Layer<tf.Tensor4D> {
  if (stride === 1 && inC === outC) return (x) => x;
  const conv = b.conv(`${name}.downsample.0`, inC, outC, 1, stride);
  const bn = b.batchNorm(`${name}.downsample.1`, outC);
  return (x, mode) => bn(conv(x, mode), mode);
}
