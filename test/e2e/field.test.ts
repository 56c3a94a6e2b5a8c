// Awkward data sets, made after public reports: each archive of the folder through the real API, and what
// should come of it. An archive without an expectation here fails the walk.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { DatasetReport } from '../../src/domain/dataset.ts';
import { absent, testData } from '../fixtures/test-data.ts';
import { newDataDir, Stack } from './running-stack.ts';

const skip = absent('field/MANIFEST.json');
const folder = testData('field') ?? '';
const archives: string[] = skip
  ? []
  : Object.keys(JSON.parse(readFileSync(join(folder, 'MANIFEST.json'), 'utf8')));

type Split = keyof DatasetReport['counts'];
type Ready = Partial<Record<Split, Record<string, number>>> & { warn?: RegExp; skipped?: number };
type Refused = { code: string; words: RegExp };
/** `query` is what the uploader says beside the file. */
type Expected = (Ready | Refused) & { query?: string };

const cats = { cat: 6, dog: 6 };
const trainTest = { unsplit: { glioma: 10, notumor: 10 }, test: { glioma: 4, notumor: 4 } };
const toTrain = { glioma: 10, notumor: 10 };
const two = { train: { a: 8, b: 8 }, valid: { a: 4, b: 4 } };
const noValid = /no validation images/;
const notTold = { code: 'encoding_unknown', words: /is not UTF-8.*\?encoding=shift_jis/ };
const shiftJis = { query: '&encoding=shift_jis' };

const expected: Record<string, Expected | Expected[]> = {
  '01-test-folder-as-class/train_classes_test_flat.zip': {
    unsplit: { nok: 8, ok: 8 },
    skipped: 6,
    warn: /6 images for the test .* never trained on/,
  },
  '03-train-test-no-val/Training_Testing.zip': { ...trainTest, warn: noValid },
  '03-train-test-no-val/train_test.zip': { ...trainTest, warn: /kept as the split test/ },
  '03-train-test-no-val/seg_train_seg_test.zip': {
    unsplit: { sea: 6, street: 6 },
    test: { sea: 3, street: 3 },
  },
  '03-train-test-no-val/train_dev.zip': {
    train: { sea: 6, street: 6 },
    valid: { sea: 3, street: 3 },
  },
  '03-train-test-no-val/training_validation.zip': {
    train: toTrain,
    valid: { glioma: 4, notumor: 4 },
  },
  '04-csv-ids-without-extension/csv_in_sibling_folder.zip': { unsplit: cats },
  '04-csv-ids-without-extension/dog_breed_style.zip': {
    unsplit: { boston_bull: 8, dingo: 8 },
    skipped: 4,
    warn: /4 images are not in labels.csv/,
  },
  '04-csv-ids-without-extension/names_relative_to_train_images.zip': {
    unsplit: { 0: 8, 1: 8 },
    skipped: 4,
    warn: /4 images are not in labels.csv/,
  },
  '04-csv-ids-without-extension/no_test_folder.zip': { unsplit: { boston_bull: 8, dingo: 8 } },
  '05-zip-shift-jis-names/cp932_class_ends_in_5c.zip': [
    notTold,
    { ...shiftJis, unsplit: { 性能: 6, 機能: 6 } },
  ],
  '05-zip-shift-jis-names/cp932_plain.zip': [
    notTold,
    { ...shiftJis, unsplit: { 犬: 6, 猫: 6, 鳥: 6 } },
  ],
  '05-zip-shift-jis-names/cp932_with_5c.zip': [
    notTold,
    {
      ...shiftJis,
      train: { ソファ: 6, 猫: 6, 表札: 6 },
      valid: { ソファ: 2, 猫: 2, 表札: 2 },
    },
  ],
  '05-zip-shift-jis-names/files_with_5c.zip': [
    { unsplit: { cat: 8, dog: 8 }, warn: /%XX/ },
    { ...shiftJis, unsplit: { cat: 8, dog: 8 } },
  ],
  '05-zip-shift-jis-names/files_with_5c_split.zip': {
    train: { cat: 8, dog: 8 },
    valid: { cat: 4, dog: 4 },
  },
  '07-csv-encodings/cp1252.zip': {
    unsplit: { Äpfel: 5, Öpfel: 5, Üpfel: 5 },
    warn: /read as windows-1252, a guess/,
  },
  '07-csv-encodings/gbk.zip': [
    notTold,
    { query: '&encoding=gbk', unsplit: { 猫: 5, 犬: 5, 鸟: 5 } },
  ],
  '07-csv-encodings/shift_jis.zip': [notTold, { ...shiftJis, unsplit: { 猫: 5, 犬: 5, 鳥: 5 } }],
  '07-csv-encodings/utf16_comma.zip': { unsplit: { 猫: 5, 犬: 5, 鳥: 5 } },
  '07-csv-encodings/utf16_excel.zip': { unsplit: { 猫: 5, 犬: 5, 鳥: 5 } },
  '08-csv-semicolon-tab/Labels_variants.zip': { unsplit: cats },
  '08-csv-semicolon-tab/excel_sep_line.zip': { unsplit: cats },
  '08-csv-semicolon-tab/ragged_trailing_commas.zip': { unsplit: cats },
  '08-csv-semicolon-tab/semicolon.zip': { unsplit: cats },
  '08-csv-semicolon-tab/semicolon_decimal_comma.zip': { unsplit: cats, warn: /not used .*"score"/ },
  '08-csv-semicolon-tab/space_after_comma_quoted.zip': { unsplit: cats },
  '08-csv-semicolon-tab/tab.zip': { unsplit: cats },
  '08-csv-semicolon-tab/upper_case_names.zip': { unsplit: cats, warn: /differ .* by case/ },
  '09-csv-index-or-swapped-columns/is_valid_column.zip': {
    train: { cat: 4, dog: 4 },
    valid: { cat: 2, dog: 2 },
  },
  '09-csv-index-or-swapped-columns/pandas_index.zip': { unsplit: cats },
  '09-csv-index-or-swapped-columns/swapped.zip': { unsplit: cats },
  '11-bit-depths/depths.zip': {
    unsplit: { a: 7, b: 6 },
    warn: /twelve_bit_in_16.png.*float01.tif.* from 0 to 1/,
  },
  '12-classes-of-one-image/whales.zip': {
    unsplit: {
      new_whale: 12,
      ...Object.fromEntries([0, 1, 2, 3, 4, 5, 6, 7].map((i) => [`w_${i}`, 1])),
    },
    warn: /8 of 9 classes have one image only/,
  },
  '13-no-validation-left/eight_images.zip': { unsplit: { a: 4, b: 4 } },
  '13-no-validation-left/four_images.zip': { unsplit: { a: 2, b: 2 } },
  '15-multi-label-csv/planet_style.zip': {
    unsplit: {
      'clear primary': 3,
      'clear primary road': 3,
      cloudy: 3,
      'clear agriculture primary': 3,
      'cloudy primary': 3,
      'clear road': 3,
    },
    warn: /look like several per image/,
  },
  '15-multi-label-csv/two_rows_per_image.zip': {
    code: 'labels_invalid',
    words: /line 14: "03.jpg" is "cat" here and "dog" above/,
  },
  '16-class-vanishes/empty_class_folder.zip': {
    train: cats,
    valid: cats,
    warn: /train\/bird\/ holds no image/,
  },
  '16-class-vanishes/no_extension_at_all.zip': { unsplit: cats },
  '16-class-vanishes/one_class_has_no_extensions.zip': { unsplit: { ...cats, bird: 6 } },
  '16-class-vanishes/scraped_suffixes.zip': { unsplit: { ...cats, bird: 7 } },
  '18-nested-zip/competition.zip': {
    code: 'dataset_empty',
    words: /only archives: "train.zip", "test.zip" .*[Ss]end one of them.* or unpack them/,
  },
  '21-sub-folders/class_first_split_second.zip': {
    train: cats,
    valid: { cat: 3, dog: 3 },
  },
  '21-sub-folders/dogscats_with_sample.zip': {
    train: { cats: 6, dogs: 6 },
    valid: { cats: 3, dogs: 3 },
    skipped: 8,
    warn: /8 images outside of train\/, valid\//,
  },
  '21-sub-folders/mixed_depth.zip': {
    unsplit: { cat: 10, dog: 6 },
    warn: /4 images in sub folders belong/,
  },
  '21-sub-folders/tiny_imagenet_style.zip': {
    train: { n01: 6, n02: 6 },
    valid: { n01: 3, n02: 3 },
  },
  '23-orientation-outside-jpeg/orient.zip': {
    unsplit: { a: 6, b: 7 },
    warn: /5 images carry an EXIF orientation.*data.exif_orientation/,
  },
  '22-heic-as-jpg/iphone.zip': {
    unsplit: { a: 5, b: 5 },
    skipped: 5,
    warn: /5 images cannot be used: HEIC .* convert it to JPEG/,
  },
  '25-roboflow-classes-csv/flat_split_with_labels_csv.zip': {
    train: { cat: 4, dog: 4 },
    valid: { cat: 2, dog: 2 },
  },
  '25-roboflow-classes-csv/roboflow_multiclass.zip': {
    train: { cat: 4, dog: 4 },
    valid: { cat: 2, dog: 2 },
    test: { cat: 1, dog: 1 },
  },
  '26-class-absent-from-valid/case_and_trailing_space.zip': {
    train: { Cat: 6, 'Dog ': 6 },
    warn: /"Cat" and "cat"; "Dog " and "Dog"/,
  },
  '26-class-absent-from-valid/rotations.zip': {
    train: { 0: 6, 90: 6, 180: 6, 270: 6 },
    valid: { 0: 3, 90: 3, 270: 3 },
  },
  '29-deflate64/method9.zip': {
    code: 'archive_broken',
    words: /method 9 \(Deflate64.*Pack it again with/,
  },
  '30-training-sets/emoji_classes.zip': { unsplit: { 犬: 8, '😀': 8, ﾈｺ: 8 } },
  '30-training-sets/flat.zip': {
    train: { a: 8, b: 8 },
    valid: { a: 2, b: 2 },
    warn: /under different labels/,
  },
  '30-training-sets/three.zip': { train: { a: 8, b: 8, c: 8 }, valid: { a: 4, b: 4, c: 4 } },
  '30-training-sets/two.zip': two,
  '30-training-sets/valid_one_class.zip': { train: { a: 8, b: 8 }, valid: { a: 4 } },
  '31-batch-size-1/two.zip': two,
  '34-phase-data-ignored/two.zip': two,
  '35-early-stopping-without-valid/four_images.zip': { unsplit: { a: 2, b: 2 } },
};

let stack: Stack;
before(async () => {
  if (!skip) stack = await Stack.start(await newDataDir());
});
after(() => stack?.stop());

test('every archive of the manifest has an expectation', { skip }, () => {
  assert.ok(archives.length > 40, `only ${archives.length} archives`);
  assert.deepEqual(
    archives.filter((name) => !(name in expected)),
    [],
  );
});

for (const [name, all] of Object.entries(expected)) {
  for (const { query = '', ...outcome } of [all].flat()) {
    test(`${name} ${query}`, { skip: skip || !archives.includes(name) }, async () => {
      const bytes = readFileSync(join(folder, name));
      const dataset = await stack.prepared(bytes, query);
      const report = await stack.call<DatasetReport>('GET', `/v1/datasets/${dataset.id}/report`);
      // no letter of a name was lost on the way
      assert.doesNotMatch(JSON.stringify(report), /\uFFFD/);
      if ('code' in outcome) {
        assert.equal(report.error?.code, outcome.code, JSON.stringify(report));
        assert.match(`${report.error?.message} ${report.error?.hint}`, outcome.words);
        return;
      }
      const { warn, skipped = 0, ...counts } = outcome;
      assert.deepEqual([report.error, dataset.state], [null, 'ready']);
      assert.deepEqual(report.counts, { train: {}, valid: {}, test: {}, unsplit: {}, ...counts });
      if (warn) assert.match(report.warnings.join('\n'), warn);
      assert.ok(report.skipped_total >= skipped, `${report.skipped_total} files skipped`);
    });
  }
}
