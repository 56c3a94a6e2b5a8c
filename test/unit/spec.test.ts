import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../src/domain/problem.ts';
import { parseSpec, Spec } from '../../src/domain/spec.ts';

const dataset = 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV';

function faults(body: unknown): Record<string, string> {
  try {
    parseSpec(body);
  } catch (error) {
    assert.ok(error instanceof Problem);
    assert.equal(error.code, 'invalid_spec');
    return Object.fromEntries(error.errors.map(({ path, message }) => [path, message]));
  }
  return {};
}

test('a spec of nothing but a data set is the seed program, with every default in it', () => {
  const spec = parseSpec({ dataset });
  assert.equal(spec.arch, 'resnet18');
  assert.equal(spec.data.batch_size, 64);
  assert.equal(spec.optimizer.wd, 0.01);
  const [find, frozen, fine] = spec.phases;
  assert.equal(find?.type, 'lr_find');
  assert.ok(frozen?.type === 'fit_one_cycle' && fine?.type === 'fit_one_cycle');
  assert.deepEqual([frozen.max_lr, frozen.freeze], [3e-2, true]);
  assert.deepEqual([fine.max_lr, fine.freeze], [{ slice: [1e-6, 1e-4] }, false]);
  assert.deepEqual([fine.pct_start, fine.div_factor, fine.moms], [0.3, 25, [0.95, 0.85]]);
});

test('a complete spec parses to itself', () => {
  const spec = parseSpec({ dataset, data: { size: 224, transforms: {} } });
  assert.deepEqual(Spec.parse(JSON.parse(JSON.stringify(spec))), spec);
});

test('every bad field is named, with what was expected and what came', () => {
  const errors = faults({
    dataset,
    arch: 'vgg16',
    data: { size: 9999, colour: true, batch_size: 1.5 },
    phases: [{ type: 'fit_one_cycle', max_lr: -1 }, { type: 'dream' }],
    optimizer: { wd: 'some' },
  });
  assert.deepEqual(Object.keys(errors).sort(), [
    'arch',
    'data.batch_size',
    'data.colour',
    'data.size',
    'optimizer.wd',
    'phases.0.max_lr',
    'phases.1.type',
  ]);
  assert.equal(errors['data.size'], 'expected at most 1024, got 9999');
  assert.equal(errors['data.colour'], 'unknown field');
  assert.match(errors.arch ?? '', /resnet18.*got "vgg16"/);
  assert.match(errors['optimizer.wd'] ?? '', /number, got "some"/);
  assert.match(errors['phases.0.max_lr'] ?? '', /more than 0, got -1/);
});

test('what is missing is said to be missing', () => {
  assert.match(faults({}).dataset ?? '', /^is missing/);
  assert.deepEqual(Object.keys(faults('hello')), ['']);
});

test('what fastai would take in silence and do something else with is refused with the reason', () => {
  const phases = (...list: unknown[]) => faults({ dataset, phases: list });
  assert.match(
    faults({ dataset, head: { lin_ftrs: [256, 128], ps: [0.1, 0.2] } })['head.ps'] ?? '',
    /drop/,
  );
  assert.match(
    phases({ type: 'fit_one_cycle', epochs: 2, tot_epochs: 1 })['phases.0.epochs'] ?? '',
    /tot_epochs/,
  );
  assert.match(
    phases({ type: 'fit_one_cycle', max_lr: 'auto' })['phases.0.max_lr'] ?? '',
    /lr_find/,
  );
  assert.match(
    phases({ type: 'fit_one_cycle', max_lr: [1, 2] })['phases.0.max_lr'] ?? '',
    /expected 3 rates/,
  );
  assert.match(
    faults({ dataset, callbacks: { save_best: { monitor: 'kappa' } } })[
      'callbacks.save_best.monitor'
    ] ?? '',
    /valid_loss/,
  );
});

test('squeezenet1_1 has four layer groups', () => {
  const phase = (max_lr: number[]) => [{ type: 'fit_one_cycle', max_lr }];
  assert.deepEqual(
    faults({ dataset, arch: 'squeezenet1_1', phases: phase([1e-5, 1e-4, 1e-3, 1e-2]) }),
    {},
  );
  assert.match(
    faults({ dataset, arch: 'squeezenet1_1', phases: phase([1e-4, 1e-3, 1e-2]) })[
      'phases.0.max_lr'
    ] ?? '',
    /expected 4/,
  );
});

test('normalisation defaults to what the body was trained with', () => {
  assert.equal(parseSpec({ dataset }).data.normalize, 'imagenet');
  assert.equal(parseSpec({ dataset, pretrained: null }).data.normalize, null);
  assert.equal(
    parseSpec({ dataset, pretrained: `mdl_${dataset.slice(3)}` }).data.normalize,
    'pretrained',
  );
});

test('a range test takes a rate per layer group, as many as there are, each of which grows', () => {
  const sweep = (fields: object) =>
    faults({ dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV', phases: [{ type: 'lr_find', ...fields }] });
  assert.deepEqual(sweep({ start_lr: [1e-8, 1e-7, 1e-6], end_lr: { slice: [1] } }), {});
  assert.deepEqual(sweep({ start_lr: { slice: [1e-8, 1e-6] }, end_lr: 10 }), {});
  assert.deepEqual(sweep({ start_lr: [1e-8, 1e-7], end_lr: [1, 1, 1, 1] }), {
    'phases.0.start_lr': 'expected 3 rates, one per layer group, got 2',
    'phases.0.end_lr': 'expected 3 rates, one per layer group, got 4',
  });
  assert.deepEqual(sweep({ start_lr: [1e-3, 1e-2, 1], end_lr: 0.1 }), {
    'phases.0.end_lr': 'expected more than start_lr in layer group 2 (1), got 0.1',
  });
  assert.match(sweep({ end_lr: 'auto' })['phases.0.end_lr'] ?? '', /expected a positive number/);
  assert.match(sweep({ wd: [0.1, 0.2] })['phases.0.wd'] ?? '', /expected 3 values/);
  assert.match(sweep({ freeze: 7 })['phases.0.freeze'] ?? '', /expected -2\.\.2/);
});
