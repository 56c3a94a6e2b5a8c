import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Arch } from '../../../src/domain/arch.ts';
import { startEngine } from '../../../src/engine/engine.ts';
import { bodyName } from '../../../src/models/body-name.ts';
import { torchvisionNames } from '../../../src/models/export/torchvision-names.ts';
import { stateDict } from '../../../src/models/state-dict.ts';
import { trainedModel } from './trained-model.ts';

await startEngine({ engine: 'js', precision: 'f32', threads: null });
const head = { lin_ftrs: [512], ps: 0.5, concat_pool: true, bn_final: false };

for (const arch of Arch.options) {
  test(`${arch} under torchvision's names: the body reads back, the head stands where torchvision's stood`, () => {
    const model = trainedModel(arch, 2, head);
    const tensors = stateDict(model);
    const renamed = torchvisionNames(arch, tensors);
    model.dispose();
    const heads: string[] = [];
    tensors.forEach(({ name, values }, place) => {
      const other = renamed[place];
      assert.equal(other?.values, values);
      if (name.startsWith('0.')) assert.equal(bodyName(arch, other?.name ?? ''), name);
      else heads.push(other?.name ?? '');
    });
    assert.equal(new Set(renamed.map(({ name }) => name)).size, tensors.length);
    const [batchNorm, linear] =
      arch === 'squeezenet1_1' ? ['classifier.2', 'classifier.4'] : ['fc.0', 'fc.2'];
    for (const name of [`${batchNorm}.running_mean`, `${linear}.weight`]) {
      assert.ok(heads.includes(name), name);
    }
  });
}
