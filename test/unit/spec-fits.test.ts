import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatasetReport, ManifestItem, SplitCounts } from '../../src/domain/dataset.ts';
import { factsOfReport, withSizes } from '../../src/domain/dataset-facts.ts';
import { Problem } from '../../src/domain/problem.ts';
import { parseSpec } from '../../src/domain/spec.ts';
import { misfit } from '../../src/domain/spec-fits.ts';
import { fitWarnings } from '../../src/domain/spec-warnings.ts';

const specOf = (body: object) =>
  parseSpec({ dataset: 'ds_01ARZ3NDEKTSV4RRFFQ69G5FAV', pretrained: null, ...body });
const report = (counts: Partial<SplitCounts>, sizes: [number, number, number][] = [[28, 28, 9]]) =>
  ({
    counts: { train: {}, valid: {}, test: {}, unsplit: {}, ...counts },
    sizes,
    sizes_total: sizes.length,
  }) as DatasetReport;
const two = report({ train: { a: 8, b: 8 }, valid: { a: 4, b: 4 } });
const fit = (body: object, own = two) => {
  const spec = specOf(body);
  return misfit(spec, factsOfReport(own, spec.data.valid_pct));
};
const says = (body: object, own = two) => {
  const spec = specOf(body);
  return fitWarnings(spec, factsOfReport(own, spec.data.valid_pct)).join('\n');
};
const cycle = (data: object | null) => ({ type: 'fit_one_cycle', data });

test('each phase’s own batch is held against the images that train', () => {
  assert.equal(fit({ data: { batch_size: 16 } }), null);
  const all = fit({ data: { batch_size: 17 } });
  assert.deepEqual([all?.code, all?.errors[0]?.path], ['batch_too_large', 'data.batch_size']);
  const later = fit({ data: { batch_size: 8 }, phases: [cycle(null), cycle({ batch_size: 64 })] });
  assert.equal(later?.errors[0]?.path, 'phases.1.data.batch_size');
  assert.match(later?.hint ?? '', /at most 16/);
  const mended = { data: { batch_size: 64 }, phases: [cycle({ batch_size: 8 })] };
  assert.equal(fit(mended), null);
  // of 20 images a random fifth is held back; at most a whole class of them comes back
  const unsplit = report({ unsplit: { a: 10, b: 10 } });
  assert.equal(fit({ data: { batch_size: 16 } }, unsplit), null);
  assert.equal(fit({ data: { batch_size: 17 } }, unsplit)?.code, 'batch_too_large');
  assert.equal(fit({ data: { batch_size: 17 } }, report({ unsplit: { a: 19, b: 1 } })), null);
});

test('sizes that differ are refused where any phase takes images as they are, split by split', () => {
  const item = (split: ManifestItem['split'], width: number) =>
    ({ split, width, height: 20, label: 'a', orientation: 1 }) as ManifestItem;
  const mixed = (items: ManifestItem[], body: object) => {
    const spec = specOf({ data: { batch_size: 2 }, ...body });
    const facts = factsOfReport(two, spec.data.valid_pct);
    return misfit(spec, withSizes(facts, items, spec.data));
  };
  const differ = [item('train', 20), item('train', 30), item('valid', 20)];
  const found = mixed(differ, {});
  assert.deepEqual([found?.code, found?.errors[0]?.path], ['sizes_differ', 'data.size']);
  assert.match(found?.message ?? '', /20x20 \(1\), 30x20 \(1\)/);
  assert.equal(mixed(differ, { data: { size: 32, batch_size: 2 } }), null);
  const back = { data: { size: 32, batch_size: 2 }, phases: [cycle(null), cycle({ size: null })] };
  assert.equal(mixed(differ, back)?.errors[0]?.path, 'phases.1.data.size');
  const no = { data: { size: 32, resize_method: 'no', batch_size: 2 } };
  assert.equal(mixed(differ, no)?.errors[0]?.path, 'data.resize_method');
  // fastai trains on one size and validates on another
  const apart = [item('train', 20), item('valid', 30), item('test', 40), item('test', 50)];
  assert.equal(mixed(apart, {}), null);
  assert.equal(mixed(apart, { data: { batch_size: 2, valid_pct: 0.5 } })?.code, 'sizes_differ');
  const turned = [item('train', 30), { ...item('train', 30), orientation: 6 }];
  assert.equal(mixed(turned, {}), null);
  const apply = { data: { batch_size: 2, exif_orientation: 'apply' } };
  assert.equal(mixed(turned, apply)?.code, 'sizes_differ');
});

test('images that an architecture shrinks to nothing are refused, by the spec alone where it says a size', () => {
  const tiny = report({ train: { a: 8, b: 8 }, valid: { a: 4 } }, [[16, 40, 20]]);
  const arch = 'squeezenet1_1';
  assert.equal(fit({ arch, data: { batch_size: 4 } }, tiny)?.code, 'images_too_small');
  assert.equal(fit({ arch, data: { batch_size: 4, size: 17 } }, tiny), null);
  assert.equal(fit({ data: { batch_size: 4 } }, tiny), null);
  const refused = (body: object) => {
    try {
      specOf({ arch, ...body });
    } catch (error) {
      return error instanceof Problem ? error.errors.map(({ path }) => path) : error;
    }
    return [];
  };
  assert.deepEqual(refused({ data: { size: 16 } }), ['data.size']);
  assert.deepEqual(refused({ phases: [cycle({ size: [32, 16] })] }), ['phases.0.data.size']);
});

test('metrics on the test split are refused where there is none', () => {
  const body = { data: { batch_size: 4 }, evaluation: { test: true } };
  assert.equal(fit(body)?.code, 'no_test_split');
  assert.equal(fit(body, report({ train: { a: 8, b: 8 }, test: { a: 1 } })), null);
});

test('what nothing can be said about is said: no validation, and who watches it', () => {
  const none = report({ unsplit: { a: 2, b: 2 } });
  const callbacks = {
    early_stopping: {},
    save_best: { monitor: 'accuracy' },
    reduce_on_plateau: { monitor: 'train_loss' },
  };
  const said = says({ data: { batch_size: 2 }, callbacks }, none);
  assert.match(said, /No image is left to validate on/);
  assert.match(said, /early_stopping watches valid_loss.*does nothing/);
  assert.match(said, /save_best watches accuracy/);
  assert.doesNotMatch(said, /reduce_on_plateau/);
  assert.match(says({ data: { valid_pct: 0 } }), /No image is left/);
  assert.equal(says({ callbacks }), '');
});

test('classes without a validation image are named, and metrics that say nothing', () => {
  const one = report({ train: { a: 8, b: 8 }, valid: { a: 4 } });
  assert.match(says({}, one), /1 of 2 classes have no validation image.*"b"/);
  assert.match(says({ metrics: ['top_k_accuracy'] }), /any model of 2 classes has 1 with k 5/);
  const three = report({ train: { a: 8, b: 8, c: 8 }, valid: { a: 4, b: 4, c: 4 } });
  assert.match(says({ metrics: ['f_beta'] }, three), /"macro" is taken/);
  assert.equal(says({ metrics: [{ name: 'f_beta', average: 'macro' }] }, three), '');
  assert.equal(says({ metrics: ['precision', 'recall'] }), '');
});
