// What a step changes, frozen and not, on a real ResNet-18 where the engine is built, else on the small CNN.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newHead } from '../../src/domain/spec.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { Learner } from '../../src/learner/learner.ts';
import { targetsOf } from '../../src/learner/targets.ts';
import { createModel } from '../../src/models/create-model.ts';
import { stateDict } from '../../src/models/state-dict.ts';
import { keyedRandom } from '../../src/training/random.ts';
import { specOf } from '../parity/scripted-run.ts';
import { tinyModel } from '../parity/tiny-model.ts';

const engine = await startEngine({ engine: 'auto', precision: 'auto', threads: null });

function learnerOf(optimizer: object = {}, bnFreeze = false): Learner {
  const spec = specOf({ optimizer });
  const model =
    engine.name === 'onednn'
      ? createModel('resnet18', { classes: 3, head: newHead(spec), seed: 3 })
      : tinyModel();
  return new Learner(model, { optimizer: spec.optimizer, gradientClip: null, bnFreeze });
}

/** The names that a step changed. */
function changed(learner: Learner): string[] {
  const random = keyedRandom(9);
  const images = Float32Array.from({ length: 4 * 32 * 32 * 3 }, () => random.next());
  const batch = {
    images,
    shape: [4, 32, 32, 3],
    targets: targetsOf([0, 1, 2, 0], 3, null),
    classes: 3,
  };
  const before = new Map(stateDict(learner.model).map(({ name, values }) => [name, values]));
  learner.trainStep(batch, { lr: [1e-3, 1e-3, 1e-3], mom: 0.9, wd: [0.01, 0.01, 0.01] }, [1]);
  return stateDict(learner.model)
    .filter(({ name, values }) => values.some((value, i) => value !== before.get(name)?.[i]))
    .map(({ name }) => name);
}

const isBody = (name: string) => name.startsWith('0.');
const isStatistic = (name: string) => /running_(mean|var)$/.test(name);

test('frozen: no convolution of the body changes, all its batch norms do, weights and statistics', () => {
  const learner = learnerOf();
  learner.freezeTo(-1);
  const norms = learner.model.batchNorms.map(({ name }) => name);
  const convolutions = learner.model.parameters.filter(({ role }) => role === 'filter');
  const now = changed(learner);
  assert.ok(convolutions.length >= 3 && norms.length >= 5);
  for (const { name } of convolutions) assert.ok(!now.includes(name), `${name} changed`);
  for (const norm of norms) {
    for (const part of ['weight', 'running_mean', 'running_var']) {
      assert.ok(now.includes(`${norm}.${part}`), `${norm}.${part} did not change`);
    }
  }
  assert.ok(
    now.some((name) => name.startsWith('1.')),
    'the head did not change',
  );
  learner.model.dispose();
});

test('unfrozen: every convolution changes', () => {
  const learner = learnerOf();
  learner.freezeTo(0);
  const now = changed(learner);
  for (const { name, role } of learner.model.parameters) {
    if (role === 'filter') assert.ok(now.includes(name), `${name} did not change`);
  }
  learner.model.dispose();
});

test('train_bn false: the body’s gamma and beta rest, its statistics move all the same', () => {
  const learner = learnerOf({ train_bn: false });
  learner.freezeTo(-1);
  const now = changed(learner).filter(isBody);
  assert.ok(now.length > 0 && now.every(isStatistic), now.join(' '));
  learner.model.dispose();
});

test('bn_freeze on top: nothing of the body changes', () => {
  const learner = learnerOf({ train_bn: false }, true);
  learner.freezeTo(-1);
  assert.deepEqual(changed(learner).filter(isBody), []);
  learner.model.dispose();
});

test('freeze and unfreeze each bring a new optimiser', () => {
  const learner = learnerOf();
  changed(learner);
  assert.ok(learner.optimizer.state().steps.every((t) => t === 1));
  learner.freezeTo(0);
  assert.ok(learner.optimizer.state().steps.every((t) => t === 0));
  learner.model.dispose();
});
