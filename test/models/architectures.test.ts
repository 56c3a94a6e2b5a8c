// Parameter counts of torchvision's own models, without what fastai cuts off, and fastai's layer groups.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Arch } from '../../src/domain/arch.ts';
import { newHead } from '../../src/domain/spec.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { createModel } from '../../src/models/create-model.ts';
import { stateDict } from '../../src/models/state-dict.ts';
import { specOf } from '../parity/scripted-run.ts';

await startEngine({ engine: 'js', precision: 'f32', threads: null });

const known: Record<Arch, { groups: number[]; features: number; some: Record<string, number[]> }> =
  {
    resnet18: {
      groups: [683_072, 10_493_440],
      features: 512,
      some: {
        '0.7.1.conv2.weight': [512, 512, 3, 3],
        '0.5.0.downsample.0.weight': [128, 64, 1, 1],
      },
    },
    resnet34: {
      groups: [1_347_904, 19_936_768],
      features: 512,
      some: { '0.6.5.conv2.weight': [256, 256, 3, 3] },
    },
    resnet50: {
      groups: [1_444_928, 22_063_104],
      features: 2048,
      some: {
        '0.7.2.conv3.weight': [2048, 512, 1, 1],
        '0.4.0.downsample.0.weight': [256, 64, 1, 1],
      },
    },
    squeezenet1_1: {
      groups: [25_632, 94_784, 602_080],
      features: 512,
      some: { '0.0.12.expand3x3.weight': [256, 64, 3, 3] },
    },
  };
const totals: Record<Arch, number> = {
  resnet18: 11_689_512 - 513_000,
  resnet34: 21_797_672 - 513_000,
  resnet50: 25_557_032 - 2_049_000,
  squeezenet1_1: 1_235_496 - 513_000,
};

for (const arch of Arch.options) {
  test(`${arch}: torchvision's parameters, fastai's layer groups and head`, () => {
    const head = newHead(specOf({}));
    const model = createModel(arch, { classes: 2, head, seed: 1 });
    after(() => model.dispose());
    const { groups, features, some } = known[arch];
    const sizes = Array.from({ length: model.groups }, (_, group) =>
      model.parameters
        .filter((parameter) => parameter.group === group)
        .reduce((sum, { variable }) => sum + variable.size, 0),
    );
    assert.deepEqual(sizes.slice(0, -1), groups);
    assert.equal(
      groups.reduce((a, b) => a + b),
      totals[arch],
    );
    const concat = 2 * features;
    assert.equal(sizes.at(-1), 2 * concat + (concat + 1) * 512 + 2 * 512 + (512 + 1) * 2);
    const shapes = Object.fromEntries(stateDict(model).map(({ name, shape }) => [name, shape]));
    for (const [name, shape] of Object.entries(some)) assert.deepEqual(shapes[name], shape, name);
  });
}
