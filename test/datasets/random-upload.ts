// Random uploads as people make them, each image with the label and the split that a person would give it.

import fc from 'fast-check';

export type Said = { label: string; split: 'train' | 'valid' | 'test' | null };
/** Images by path, null where a person would leave it out; other files with their text. */
export type Upload = {
  kind: string;
  images: Map<string, Said | null>;
  others: Map<string, string>;
};

const words = {
  train: [
    'train',
    'Train',
    'training',
    'TRAINING',
    'train_set',
    'seg_train',
    'trainset',
    'train_images',
  ],
  valid: ['valid', 'val', 'Validation', 'dev', 'eval', 'holdout', 'val_set'],
  test: ['test', 'Testing', 'seg_test', 'test_images', 'unlabeled'],
};
const classNames = [
  ...[
    'cat',
    'dog',
    'Cat',
    'golden retriever',
    'n01440764',
    '0',
    '90',
    'ok',
    'nok',
    'w_0',
    'T-shirt top',
  ],
  ...[
    '猫',
    '犬',
    'ﾈｺ',
    '😀',
    'кошка',
    'Äpfel',
    'café',
    'A\u0308pfel2',
    'cafe\u0301 noir',
    'naïve',
    '表',
    'ソ',
  ],
  ...['__proto__', 'a,b', 'semi;colon', "l'été", 'trainer', 'contest', 'model_test_rig'],
];
const wrappers = ['', 'data/', 'My Data/', 'archive/pets/', '写真/'];
const litter = [
  '.DS_Store',
  '__MACOSX/._0.jpg',
  'Thumbs.db',
  'README.txt',
  '.ipynb_checkpoints/0-checkpoint.jpg',
  'notes.md',
];
const endings = ['.jpg', '.png', '.JPG', '.jpeg'];

const classes = fc
  .uniqueArray(fc.constantFrom(...classNames), {
    minLength: 2,
    maxLength: 4,
    selector: (name) => name.normalize('NFC').toLowerCase(),
  })
  .chain((names) => fc.tuple(...names.map((name) => fc.constantFrom(name, name.normalize('NFD')))));
const counts = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 4, maxLength: 4 });
const wrapper = fc.constantFrom(...wrappers);
const ending = fc.constantFrom(...endings);

/** train/, and perhaps valid/ and test/, a folder per class in each. */
const splitFolders = fc
  .record({
    classes,
    counts,
    wrapper,
    ending,
    train: fc.constantFrom(...words.train),
    valid: fc.option(fc.constantFrom(...words.valid)),
    test: fc.option(fc.constantFrom(...words.test)),
    testFlat: fc.boolean(),
    again: fc.boolean(),
    images: fc.boolean(),
    sample: fc.boolean(),
  })
  .filter(({ valid, test }) => valid !== null || test !== null)
  .map((tree): Upload => {
    const images = new Map<string, Said | null>();
    const rest = tree.valid === null ? null : 'train';
    const put = (split: Said['split'], folder: string, flat: boolean) => {
      tree.classes.forEach((name, c) => {
        const base = `${tree.wrapper}${folder}/${tree.again ? `${folder}/` : ''}`;
        for (let i = 0; i < (tree.counts[c] ?? 1); i++) {
          const file = `${i}${c}${tree.ending}`;
          const path = flat
            ? `${base}${file}`
            : `${base}${name}/${tree.images ? 'images/' : ''}${file}`;
          images.set(path, flat ? null : { label: name.normalize('NFC'), split });
        }
      });
    };
    put(rest, tree.train, false);
    if (tree.valid !== null) put('valid', tree.valid, false);
    if (tree.test !== null) put('test', tree.test, tree.testFlat || tree.test === 'unlabeled');
    if (tree.sample) images.set(`${tree.wrapper}sample/${tree.classes[0]}/9${tree.ending}`, null);
    return { kind: 'splits', images, others: new Map() };
  });

/** A folder per class, the split perhaps below it. */
const classFolders = fc
  .record({
    classes,
    counts,
    wrapper,
    ending,
    below: fc.constantFrom('', 'more', 'split', 'images'),
  })
  .map((tree): Upload => {
    const images = new Map<string, Said | null>();
    tree.classes.forEach((name, c) => {
      const label = name.normalize('NFC');
      const base = `${tree.wrapper}${name}/`;
      for (let i = 0; i < (tree.counts[c] ?? 1); i++) {
        const file = `${i}${tree.ending}`;
        if (tree.below === 'split') {
          images.set(`${base}train/${file}`, { label, split: 'train' });
          images.set(`${base}val/${file}`, { label, split: 'valid' });
        } else if (tree.below === 'images') {
          images.set(`${base}images/${file}`, { label, split: null });
        } else {
          images.set(`${base}${file}`, { label, split: null });
          if (tree.below === 'more' && c === 0)
            images.set(`${base}more of it/${file}`, { label, split: null });
        }
      }
    });
    return { kind: 'folders', images, others: new Map() };
  });

/** Images in one folder, and a table that says their labels. */
const tables = fc
  .record({
    classes,
    counts,
    wrapper,
    ending,
    folder: fc.constantFrom('', 'images/', 'train_images/', 'jpg/'),
    delimiter: fc.constantFrom(',', ';', '\t'),
    titles: fc.constantFrom(
      ['name', 'label'],
      ['image_id', 'class'],
      ['filename', 'target'],
      ['id', 'breed'],
      ['file', 'species'],
    ),
    order: fc.constantFrom('name first', 'label first', 'index first'),
    names: fc.constantFrom('bare', 'folder', 'stem', 'other case'),
    newline: fc.constantFrom('\n', '\r\n'),
    bom: fc.boolean(),
    split: fc.constantFrom(null, 'is_valid', 'split'),
    oneHot: fc.boolean(),
    test: fc.boolean(),
    title: fc.constantFrom('labels.csv', 'Labels.CSV', 'annotations.csv', 'train.csv'),
  })
  .map((tree): Upload => {
    const images = new Map<string, Said | null>();
    const rows: string[][] = [];
    const labels = tree.classes.map((name) => name.normalize('NFC'));
    let count = 0;
    tree.classes.forEach((name, c) => {
      for (let i = 0; i < 2 * (tree.counts[c] ?? 1); i++) {
        const stem = `im_${count++}`;
        const file = `${stem}${tree.ending}`;
        const isValid = i % 2 === 1;
        const split = tree.split === null ? null : isValid ? 'valid' : 'train';
        images.set(`${tree.wrapper}${tree.folder}${file}`, { label: labels[c] ?? '', split });
        const other = file === file.toUpperCase() ? file.toLowerCase() : file.toUpperCase();
        const named = { bare: file, folder: `${tree.folder}${file}`, stem, 'other case': other }[
          tree.names
        ];
        const said =
          tree.split === 'is_valid'
            ? [isValid ? 'True' : 'False']
            : tree.split
              ? [isValid ? 'val' : 'train']
              : [];
        const label = tree.oneHot ? tree.classes.map((_, at) => (at === c ? '1' : '0')) : [name];
        const pair =
          tree.order === 'label first' && !tree.oneHot
            ? [...label, named ?? '']
            : [named ?? '', ...label];
        rows.push([...(tree.order === 'index first' ? [String(count)] : []), ...pair, ...said]);
      }
    });
    const [nameTitle = '', labelTitle = ''] = tree.titles;
    const labelTitles = tree.oneHot ? tree.classes : [labelTitle];
    const pair =
      tree.order === 'label first' && !tree.oneHot
        ? [...labelTitles, nameTitle]
        : [nameTitle, ...labelTitles];
    const header = [
      ...(tree.order === 'index first' ? [''] : []),
      ...pair,
      ...(tree.split ? [tree.split] : []),
    ];
    const cell = (text: string) =>
      /[",;\t]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    const lines = [header, ...rows].map((row) => row.map(cell).join(tree.delimiter));
    if (tree.test) images.set(`${tree.wrapper}test_images/new${tree.ending}`, null);
    const text = `${tree.bom ? '\uFEFF' : ''}${lines.join(tree.newline)}${tree.newline}`;
    return { kind: 'table', images, others: new Map([[`${tree.wrapper}${tree.title}`, text]]) };
  });

/** An upload with the litter that systems leave in it. */
export const randomUpload: fc.Arbitrary<Upload> = fc
  .tuple(fc.oneof(splitFolders, classFolders, tables), fc.subarray(litter), wrapper)
  .map(([upload, names, place]) => {
    for (const name of names) {
      if (name.endsWith('.jpg')) upload.images.set(`${place}${name}`, null);
      else upload.others.set(`${place}${name}`, 'x');
    }
    return upload;
  });
