import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Problem } from '../../src/domain/problem.ts';
import { label } from './label.ts';

const refused = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof Problem && error.code === code && words.test(`${error.message} ${error.hint}`);
const two = ['im/0.jpg', 'im/1.jpg'];
const byTable = (text: string, paths: readonly string[] = two) =>
  label(paths, { tables: { 'labels.csv': text } });

test('a table’s delimiter is found out, Excel’s sep= line is no row', () => {
  for (const text of [
    'name,label\n0.jpg,cat\n1.jpg,dog\n',
    'name;label;score\n0.jpg;cat;0,5\n1.jpg;dog;0,25\n',
    'name\tlabel\r\n0.jpg\tcat\r\n1.jpg\tdog\r\n',
    'sep=;\nname;label\n0.jpg;cat\n1.jpg;dog\n',
    'name, label\n0.jpg, "cat"\n1.jpg, "dog"\n',
    'name,label,,\n0.jpg,cat,\n1.jpg,dog,,\n',
  ]) {
    assert.deepEqual(Object.values(byTable(text).labels), ['cat', 'dog'], text);
  }
});

test('columns are known by the header’s words and by which cells are files', () => {
  for (const text of [
    'label,name\ncat,0.jpg\ndog,1.jpg\n',
    ',image,label\n0,0.jpg,cat\n1,1.jpg,dog\n',
    'Unnamed: 0,filename,breed\n7,0.jpg,cat\n8,1.jpg,dog\n',
    'cat,0.jpg\ndog,1.jpg\n',
    'id,breed\n0,cat\n1,dog\n',
    'image_id,class_id,class_name\n0.jpg,0,cat\n1.jpg,1,dog\n',
  ]) {
    assert.deepEqual(Object.values(byTable(text).labels), ['cat', 'dog'], text);
  }
});

test('a column that could be the label as well as another is asked for by name', () => {
  const text = 'file,animal,colour\n0.jpg,cat,red\n1.jpg,dog,red\n';
  assert.throws(() => byTable(text), refused('labels_invalid', /"animal", "colour".*label_column/));
  const tables = { 'labels.csv': text };
  assert.deepEqual(Object.values(label(two, { tables, label_column: 'colour' }).labels), [
    'red',
    'red',
  ]);
  assert.throws(
    () => label(two, { tables, label_column: 'size' }),
    refused('labels_invalid', /label_column=size.*"file", "animal", "colour"/),
  );
});

test('names may lack the folder, the extension, the case; what that took is said', () => {
  const upper = byTable('name,label\n0.JPG,cat\n1.JPG,dog\n');
  assert.deepEqual(Object.values(upper.labels), ['cat', 'dog']);
  assert.match(upper.warnings.join(), /2 names in labels.csv differ from the files by case/);
  const machine = byTable('path,label\nC:\\data\\pets\\0.jpg,cat\nC:\\data\\pets\\1.jpg,dog\n');
  assert.deepEqual(Object.values(machine.labels), ['cat', 'dog']);
  assert.match(machine.warnings.join(), /2 names in labels.csv were found in another folder/);
  const spread = byTable('name,label\n0.jpg,x\n1.jpg,y\n', ['p/0.jpg', 'q/1.jpg']);
  assert.deepEqual(Object.values(spread.labels), ['x', 'y']);
});

test('a name that fits files of train/ and test/ means the one that most names fit', () => {
  const found = byTable('id,label\n0,cat\n1,dog\n2,cat\n', [
    'train/0.jpg',
    'train/1.jpg',
    'test/0.jpg',
    'test/2.jpg',
    'test/3.jpg',
  ]);
  // 2 is only in test/, and a training label never goes there by its base name
  assert.deepEqual(found.labels, { 'train/0.jpg': 'cat', 'train/1.jpg': 'dog' });
  assert.match(found.warnings.join(), /1 lines of labels.csv name no file/);
});

test('names that fit two folders equally well are refused', () => {
  assert.throws(
    () =>
      byTable('name,label\n0,cat\n1,dog\n', ['im/0.jpg', 'im/1.jpg', 'masks/0.png', 'masks/1.png']),
    refused('dataset_layout', /several folders: "im\/", "masks\/"/),
  );
});

test('the split comes from is_valid, split, or fold', () => {
  const splits = (text: string) => Object.values(byTable(text).splits);
  assert.deepEqual(splits('name,label,is_valid\n0.jpg,cat,False\n1.jpg,dog,True\n'), [
    'train',
    'valid',
  ]);
  assert.deepEqual(splits('name,label,split\n0.jpg,cat,train\n1.jpg,dog,val\n'), [
    'train',
    'valid',
  ]);
  assert.deepEqual(splits('name,label,split\n0.jpg,cat,train\n1.jpg,dog,test\n'), [null, 'test']);
  assert.deepEqual(splits('name,label,fold\n0.jpg,cat,1\n1.jpg,dog,0\n'), ['train', 'valid']);
  assert.deepEqual(splits('TRAIN,gs://b/0.jpg,cat\nVALIDATION,gs://b/1.jpg,dog\n'), [
    'train',
    'valid',
  ]);
  assert.deepEqual(splits('file,label,usage\n0.jpg,cat,Training\n1.jpg,dog,val\n'), [
    'train',
    'valid',
  ]);
  assert.throws(
    () => byTable('name,label,split\n0.jpg,cat,train\n1.jpg,dog,later\n'),
    refused('labels_invalid', /line 3: "split" is "later"/),
  );
});

test('one-hot columns are labels, one of each split’s folder', () => {
  const row = (name: string, cat: number) =>
    `filename, cat, dog\n${name}.jpg, ${cat}, ${1 - cat}\n`;
  const { labels, splits } = label(['train/a.jpg', 'valid/b.jpg'], {
    tables: { 'train/_classes.csv': row('a', 1), 'valid/_classes.csv': row('b', 0) },
  });
  assert.deepEqual(labels, { 'train/a.jpg': 'cat', 'valid/b.jpg': 'dog' });
  assert.deepEqual(Object.values(splits), ['train', 'valid']);
});

test('several labels for an image are refused with the line', () => {
  assert.throws(
    () => byTable('filename,cat,dog\n0.jpg,1,1\n1.jpg,0,1\n'),
    refused('labels_invalid', /line 2: "0.jpg" is of 2 classes \("cat", "dog"\)/),
  );
  assert.throws(
    () => byTable('name,label\n0.jpg,cat\n1.jpg,dog\n0.jpg,dog\n'),
    refused('labels_invalid', /line 4: "0.jpg" is "dog" here and "cat" above.*one label per image/),
  );
});

test('labels that look like several per image, like measurements, or alike are doubted in words', () => {
  const paths = Array.from({ length: 12 }, (_, i) => `im/${i}.jpg`);
  const table = (labels: string[]) =>
    label(paths, {
      tables: {
        'labels.csv': `name,label\n${paths.map((_, i) => `${i}.jpg,${labels[i % labels.length]}`).join('\n')}`,
      },
    }).warnings.join('\n');
  assert.match(table(['clear', 'clear road', 'road haze', 'haze']), /look like several per image/);
  assert.match(table(['a|b', 'b|c', 'c|a', 'a']), /look like several per image/);
  assert.match(table(['0.5', '1.25', '3.5', '2.5', '9.75', '7.5']), /look like measurements/);
  assert.match(table(['Cat', 'cat', 'dog']), /"Cat" and "cat"/);
  assert.equal(table(['golden retriever', 'labrador retriever', 'poodle']), '');
  assert.equal(table(['0', '1', '2']), '');
});

test('a table of another name is read where nothing else says labels', () => {
  const tables = { 'meta/annotations.tsv': 'file\tlabel\n0.jpg\tcat\n1.jpg\tdog\n' };
  assert.deepEqual(Object.values(label(two, { tables }).labels), ['cat', 'dog']);
});

test('class folders and a table that says other labels are asked about, one that only may is not read', () => {
  const paths = ['cat/0.jpg', 'cat/2.jpg', 'dog/1.jpg'];
  const rows = 'cat/0.jpg,tom\ncat/2.jpg,jim\ndog/1.jpg,rex\n';
  const tables = { 'metadata.csv': `name,label\n${rows}` };
  assert.throws(
    () => label(paths, { tables }),
    refused(
      'dataset_layout',
      /"cat\/0.jpg" is "cat" by its folder and "tom" by the table.*layout=folder, or csv=metadata.csv/,
    ),
  );
  const byPlace = ['cat', 'cat', 'dog'];
  assert.deepEqual(Object.values(label(paths, { tables, layout: 'folder' }).labels), byPlace);
  const named = label(paths, { tables, csv: 'metadata.csv' });
  assert.deepEqual(Object.values(named.labels), ['tom', 'jim', 'rex']);
  const other = { 'metadata.csv': `name,keeper\n${rows}` };
  assert.deepEqual(Object.values(label(paths, { tables: other }).labels), byPlace);
});

test('a submission’s example labels are never read', () => {
  const tables = {
    'train.csv': 'id,label\n0,cat\n1,dog\n',
    'sample_submission.csv': 'id,label\n2,cat\n3,cat\n',
  };
  const { labels, warnings } = label(['train/0.jpg', 'train/1.jpg', 'test/2.jpg', 'test/3.jpg'], {
    tables,
  });
  assert.deepEqual(labels, { 'train/0.jpg': 'cat', 'train/1.jpg': 'dog' });
  assert.match(warnings.join(), /sample_submission.csv is not used/);
});

test('when no name fits, the message shows what was compared and the parameter that mends it', () => {
  assert.throws(
    () => byTable('name,label\nx.png,cat\ny.png,dog\nz.png,dog\n'),
    refused(
      'dataset_layout',
      /column "name" of labels.csv.*"x.png", "y.png", "z.png".*"im\/0.jpg", "im\/1.jpg".*end in .png, the files in .jpg.*name_column/,
    ),
  );
});

test('where no layout fits, each that was tried says why it failed', () => {
  const paths = ['animal/cat/1.jpg', 'plant/oak/2.jpg'];
  const tables = { 'notes.csv': 'name,label\nx.jpg,cat\ny.jpg,dog\n' };
  assert.throws(
    () => label(paths, { tables }),
    refused('dataset_layout', /a folder per class: .*upper folder.* a table of labels: No name/),
  );
});

test('pieces of a download beside a table are no classes, whether or not the table can be read', () => {
  const paths = ['part_1/a.jpg', 'part_1/b.jpg', 'part_2/c.jpg', 'part_2/d.jpg'];
  const rows = (cells: string[]) =>
    ['a', 'b', 'c', 'd'].map((name, i) => `${name},${cells[i]}`).join('\n');
  const labels = (text: string) =>
    Object.values(label(paths, { tables: { 'metadata.csv': text } }).labels);
  assert.deepEqual(labels(`image_id,dx\n${rows(['nv', 'mel', 'nv', 'mel'])}`), [
    'nv',
    'mel',
    'nv',
    'mel',
  ]);
  assert.deepEqual(labels(`image_id,finding\n${rows(['nv', 'mel', 'nv', 'mel'])}`), [
    'nv',
    'mel',
    'nv',
    'mel',
  ]);
  assert.throws(
    () => labels(`image_id,dx,diagnosis\n${rows(['nv,x', 'mel,x', 'nv,y', 'mel,x'])}`),
    refused('labels_ambiguous', /"dx", "diagnosis".*label_column/),
  );
  assert.throws(
    () => labels(`image_id,age,sex\n${rows(['1,m', '2,f', '3,m', '4,f'])}`),
    refused('labels_invalid', /"age", "sex".*label_column/),
  );
});

test('labels.csv that contradicts class folders is asked about, one of other words is read', () => {
  const paths = ['cat/0.jpg', 'dog/1.jpg'];
  const tables = (a: string, b: string) => ({
    'labels.csv': `name,label\ncat/0.jpg,${a}\ndog/1.jpg,${b}\n`,
  });
  assert.throws(
    () => label(paths, { tables: tables('dog', 'dog') }),
    refused('dataset_layout', /say different labels/),
  );
  assert.deepEqual(Object.values(label(paths, { tables: tables('tom', 'rex') }).labels), [
    'tom',
    'rex',
  ]);
});

test('one-hot columns may be true and false, labels that stand for no value are doubted', () => {
  const { labels } = byTable('name,cat,dog\n0.jpg,True,False\n1.jpg,False,True\n');
  assert.deepEqual(Object.values(labels), ['cat', 'dog']);
  const { warnings } = byTable('name,label\n0.jpg,cat\n1.jpg,NaN\n');
  assert.match(warnings.join(), /missing values .*"NaN" on 1/);
});

test('a column that is named where there is no table is refused, not ignored', () => {
  assert.throws(
    () => label(['cat/0.jpg', 'dog/1.jpg'], { label_column: 'breed' }),
    refused('dataset_layout', /label_column need a table: there is none/),
  );
});

test('a table that swaps the classes of the folders says something else, not the same in other words', () => {
  const text = (prefix: string) => `name,label\n${prefix}cat/0.jpg,dog\n${prefix}dog/1.jpg,cat\n`;
  const differ = refused('dataset_layout', /say different labels.*layout=folder, or csv=/);
  const classes = ['cat/0.jpg', 'dog/1.jpg'];
  assert.throws(() => label(classes, { tables: { 'labels.csv': text('') } }), differ);
  assert.throws(() => label(classes, { tables: { 'metadata.csv': text('') } }), differ);
  const splits = ['train/cat/0.jpg', 'train/dog/1.jpg', 'valid/cat/2.jpg', 'valid/dog/3.jpg'];
  assert.throws(() => label(splits, { tables: { 'labels.csv': text('train/') } }), differ);
});
