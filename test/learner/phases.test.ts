import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import type { EngineInfo } from '../../src/domain/event.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { historyOf, runCut, sameBitsCutAnywhere, type TinySet, tinySet } from './phase-runs.ts';

let set: TinySet;
let engine: EngineInfo;
before(async () => {
  set = await tinySet();
  engine = await startEngine({ engine: 'auto', precision: 'auto', threads: 1 });
});

const spec = (phases: object[]) => ({
  dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  pretrained: null,
  arch: 'squeezenet1_1',
  data: { size: 24, batch_size: 7 },
  phases: phases.map((phase) => ({ type: 'fit_one_cycle', max_lr: 1e-3, ...phase })),
});

test('a phase trains on the data that it names, and those behind it go on with them', async () => {
  const later = spec([{}, { data: { size: 40, batch_size: 2 } }, { data: { transforms: {} } }]);
  const given = await runCut(later, { set, engine, cuts: [] });
  const steps = [0, 1, 2].map((phase) => historyOf(given).steps.filter((s) => s.phase === phase));
  assert.deepEqual(
    steps.map((own) => own.length),
    [2, 7, 7],
  );
  const { model } = given.end as { model: { size: number[] } };
  assert.deepEqual(model.size, [40, 40]);
});

test('a later phase that its data can’t serve ends the run before anything is trained', async () => {
  const large = spec([{}, { data: { batch_size: 64 } }]);
  const { end, files } = await runCut(large, { set, engine, cuts: [] });
  assert.deepEqual((end as string[])[0], 'batch_too_large');
  assert.deepEqual(files, {});
});

test('a phase’s method of resizing is the model’s', async () => {
  const given = await runCut(spec([{}, { data: { resize_method: 'pad' } }]), {
    set,
    engine,
    cuts: [],
  });
  const { model } = given.end as { model: { resizeMethod: string } };
  assert.equal(model.resizeMethod, 'pad');
});

test('specs whose phases differ in every field give the same bits whole and cut anywhere', async () => {
  const finished = await sameBitsCutAnywhere({ set, engine, runs: 12, seed: 11 });
  assert.ok(finished >= 6, `only ${finished} of the runs came to a model`);
});
