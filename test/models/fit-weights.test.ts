import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Arch } from '../../src/domain/arch.ts';
import { Problem } from '../../src/domain/problem.ts';
import { newHead } from '../../src/domain/spec.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { bodyShapes } from '../../src/models/body-shapes.ts';
import { createModel } from '../../src/models/create-model.ts';
import { torchvisionNames } from '../../src/models/export/torchvision-names.ts';
import { finiteValues, fitWeights } from '../../src/models/fit-weights.ts';
import { stateDict } from '../../src/models/state-dict.ts';
import { writeSafetensors } from '../../src/models/weights/safetensors.ts';
import { readWeights } from '../../src/models/weights/weights-file.ts';
import { torchZip } from '../fixtures/torch-file.ts';
import { drawn, torchvisionBody } from '../fixtures/torchvision-body.ts';
import { specOf } from '../parity/scripted-run.ts';

await startEngine({ engine: 'js', precision: 'f32', threads: null });

const tensorsOf = async (saved: ReturnType<typeof torchvisionBody>) =>
  (await readWeights(torchZip(saved))).tensors;
const says =
  (...patterns: RegExp[]) =>
  (error: unknown) => {
    assert.ok(error instanceof Problem && error.code === 'weights_invalid', String(error));
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  };

for (const arch of Arch.options) {
  test(`${arch}: the table of its tensors is what the model is made of`, () => {
    const model = createModel(arch, { classes: 2, head: newHead(specOf({})), seed: 1 });
    after(() => model.dispose());
    const made = stateDict(model).filter(({ name }) => name.startsWith('0.'));
    assert.deepEqual(
      bodyShapes(arch),
      new Map(
        [...bodyShapes(arch).keys()].map((name) => [
          name,
          made.find((tensor) => tensor.name === name)?.shape,
        ]),
      ),
    );
    assert.equal(made.length, bodyShapes(arch).size);
  });

  test(`${arch}: torchvision’s names are the body, its own classifier is left out and said`, async () => {
    const { body, head, leftOut } = fitWeights(arch, await tensorsOf(torchvisionBody(arch)));
    assert.deepEqual([...body.keys()].sort(), [...bodyShapes(arch).keys()].sort());
    assert.equal(head, null);
    const classifier = arch === 'squeezenet1_1' ? 'classifier.1' : 'fc';
    assert.deepEqual(leftOut, [`${classifier}.weight`, `${classifier}.bias`]);
  });
}

for (const [what, options] of [
  ['fastai’s head', {}],
  [
    'a head without concat pooling, of two hidden layers',
    { lin_ftrs: [64, 32], concat_pool: false },
  ],
  ['a head without dropout, with a last batch norm', { ps: 0, bn_final: true }],
  ['a head of one linear layer', { lin_ftrs: [] }],
] as const) {
  test(`${what} is found by its tensors, under fastai’s names and torchvision’s`, async () => {
    for (const arch of ['resnet18', 'squeezenet1_1'] as const) {
      const head = {
        ...newHead(specOf({})),
        ...options,
        lin_ftrs: [...((options as { lin_ftrs?: number[] }).lin_ftrs ?? [512])],
      };
      const model = createModel(arch, { classes: 3, head, seed: 1 });
      after(() => model.dispose());
      const tensors = stateDict(model);
      for (const named of [tensors, torchvisionNames(arch, tensors)]) {
        const file = Buffer.from(writeSafetensors(named));
        const found = fitWeights(arch, (await readWeights(file)).tensors).head;
        assert.equal(found?.classes, 3);
        assert.deepEqual(found?.lin_ftrs, head.lin_ftrs);
        assert.equal(found?.concat_pool, head.concat_pool);
        assert.equal(found?.bn_final, head.bn_final);
        const ps = head.lin_ftrs.map(() => 0.25);
        assert.deepEqual(found?.ps, head.ps === 0 ? [0, 0] : [...ps, 0.5]);
        assert.deepEqual(
          [...(found?.tensors.keys() ?? [])].sort(),
          tensors
            .map(({ name }) => name)
            .filter((name) => name.startsWith('1.'))
            .sort(),
        );
      }
    }
  });
}

test('a file that does not fit is refused with the names that are missing, unexpected and misshapen', async () => {
  const saved = torchvisionBody('resnet18');
  saved.delete('layer1.0.bn1.weight');
  saved.set('layer1.0.bn9.weight', drawn('x', [64], 1, 1));
  saved.set('layer2.0.conv1.weight', drawn('x', [128, 64, 1, 1], 1, 1));
  const tensors = await tensorsOf(saved);
  assert.throws(
    () => fitWeights('resnet18', tensors),
    says(
      /missing: 0\.4\.0\.bn1\.weight/,
      /unexpected: layer1\.0\.bn9\.weight/,
      /misshapen: layer2\.0\.conv1\.weight is \[128,64,1,1\] instead of \[128,64,3,3\]/,
    ),
  );
});

test('a body of another architecture is refused', async () => {
  const tensors = await tensorsOf(torchvisionBody('resnet18'));
  assert.throws(() => fitWeights('resnet34', tensors), says(/missing: .*and \d+ more/));
  assert.throws(() => fitWeights('squeezenet1_1', tensors), says(/unexpected: conv1.weight/));
});

test('another head than fastai’s is left out by name, the body is there', async () => {
  const saved = torchvisionBody('resnet18');
  saved.delete('fc.weight');
  saved.delete('fc.bias');
  saved.set('1.0.weight', drawn('x', [5, 7], 1, 1));
  const { body, head, leftOut } = fitWeights('resnet18', await tensorsOf(saved));
  assert.equal(body.size, bodyShapes('resnet18').size);
  assert.equal(head, null);
  assert.deepEqual(leftOut, ['1.0.weight']);
});

test('a weight that is not finite is refused by name', async () => {
  const saved = torchvisionBody('squeezenet1_1');
  const tensor = saved.get('features.0.bias');
  Buffer.from(tensor?.bytes.buffer ?? new ArrayBuffer(4)).writeFloatLE(Number.NaN, 8);
  const { body } = fitWeights('squeezenet1_1', await tensorsOf(saved));
  const bias = body.get('0.0.0.bias');
  assert.ok(bias);
  assert.throws(() => finiteValues(bias), says(/"features.0.bias" holds NaN at place 2/));
});
