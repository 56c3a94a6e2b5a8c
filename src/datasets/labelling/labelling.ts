// Labels are found from paths and tables alone, before any image is read. Where two readings are possible
// and differ, the uploader decides.

import { Problem, problem } from '../../domain/problem.ts';
import { some } from '../../domain/some.ts';
import { haveClassFolders, labelByClassFolders, settleSplits } from './class-folders.ts';
import { isLabelsTable, labelByTables } from './csv.ts';
import { doubtsOf } from './doubts.ts';
import { commonFolder, type Labelling, type LabelOptions, type NamedFile } from './files.ts';
import { labelByPattern } from './pattern.ts';
import { findSplits, labelBySplits } from './split-folders.ts';
import { splitOf } from './split-words.ts';

const layouts =
  'train/ and valid/ with a folder per class, or a table such as labels.csv (name,label), or a folder per class; file names that hold the label need layout=name_re and a pattern';

type Failure = { name: string; error: Problem };

/**
 * The label and the split of each file that has one, and why each other image has none.
 * @throws Problem `dataset_empty`, `dataset_layout`, `labels_invalid`, `labels_ambiguous`
 */
export function labelFiles(files: readonly NamedFile[], options: LabelOptions): Labelling {
  const images = files.filter((file) => file.isImage);
  const tables = files.filter((file) => file.text !== undefined);
  if (images.length === 0) {
    throw problem('dataset_empty', `None of the ${files.length} files is an image`);
  }
  const labelling = labelBy(files, images, tables, options);
  labelling.warnings.push(...doubtsOf(labelling));
  return labelling;
}

function labelBy(
  files: readonly NamedFile[],
  images: readonly NamedFile[],
  tables: readonly NamedFile[],
  options: LabelOptions,
): Labelling {
  const { layout } = options;
  if (layout === 'name_re') return labelByPattern(images, options.pattern);
  if (layout === 'csv' || options.csv !== null) return labelByTables(files, options);
  const failures: Failure[] = [];
  const splits = tried(failures, 'train/ and valid/ folders', () => bySplits(images));
  // folders that can be read in two ways are not read in a third
  const folders =
    splits || failures.length > 0
      ? null
      : tried(failures, 'a folder per class', () => byFolders(images));
  const byPlace = splits ?? folders;
  if (tables.length === 0 && (options.name_column ?? options.label_column) !== null) {
    throw problem('dataset_layout', 'name_column and label_column need a table: there is none');
  }
  if (layout === 'folder' || tables.length === 0) {
    return byPlace ?? refuse(failures, images);
  }
  const table = tried(failures, 'a table of labels', () => labelByTables(files, options));
  // a labels.csv means what it says, but for train/ and valid/, as in MNIST_SAMPLE; any other may be about anything
  const says = tables.some(({ path }) => isLabelsTable(path));
  if (table && says && !splits) {
    if (byPlace && sharesLabels(byPlace, table)) agreed(byPlace, table, tables);
    return table;
  }
  const doubt = failures.find(({ error }) => error.code === 'labels_ambiguous');
  if (doubt && !splits) throw doubt.error;
  if (byPlace && (splits || mayBeClasses(byPlace, tables, { says, table }))) {
    return table?.sure ? agreed(byPlace, table, tables) : said(byPlace, failures);
  }
  return table ? said(table, failures) : refuse(failures, images);
}

/** Whether folders are classes although a table is there: not `part_1`, `part_2`, nor beside labels of others. */
function mayBeClasses(
  { files }: Labelling,
  tables: readonly NamedFile[],
  { says, table }: { says: boolean; table: Labelling | null },
): boolean {
  const labels = new Set(files.map(({ label }) => label));
  const names = new Set([...labels].map((label) => label.replace(/\d+/g, '')));
  const arePieces = labels.size > 1 && names.size === 1 && /\p{L}/u.test([...names].join());
  if (!arePieces && !says) return true;
  const cells = new Set(tables.flatMap(({ text = '' }) => text.split(/[\s,;|"/\\]+/)));
  return table === null && [...labels].every((label) => cells.has(label));
}

/** What a way to read gives; null where there is nothing for it to read, or it failed. */
function tried<T extends Labelling>(
  failures: Failure[],
  name: string,
  read: () => T | null,
): T | null {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    failures.push({ name, error });
    return null;
  }
}

function said(labelling: Labelling, failures: readonly Failure[]): Labelling {
  for (const { name, error } of failures) {
    labelling.warnings.push(`${name} could not be read: ${error.message}`);
  }
  return labelling;
}

/** Whether folders and table speak of the same classes, so that one that differs is a mistake. */
function sharesLabels(places: Labelling, table: Labelling): boolean {
  const labels = new Set(places.files.map(({ label }) => label));
  return table.files.some(({ label }) => labels.has(label));
}

/** Folders and table say the same, each in its words; else it is asked which is meant. */
function agreed(places: Labelling, table: Labelling, tables: readonly NamedFile[]): Labelling {
  const byTable = new Map(table.files.map(({ path, label }) => [path, label]));
  const pairs = new Map<string, [string, string]>();
  for (const { path, label } of places.files) {
    const other = byTable.get(path);
    if (other !== undefined) pairs.set(JSON.stringify([label, other]), [label, other]);
  }
  const ours = new Set([...pairs.values()].map(([label]) => label));
  const theirs = new Set([...pairs.values()].map(([, label]) => label));
  const oneToOne = pairs.size === ours.size && pairs.size === theirs.size;
  // a word that both use must mean the same: cat and dog swapped are one to one, too
  const swapped = [...pairs.values()].some(
    ([label, other]) => label !== other && (theirs.has(label) || ours.has(other)),
  );
  if (oneToOne && !swapped) return places;
  const names = some(tables.map(({ path }) => path));
  const torn = places.files.find(({ path, label }) => (byTable.get(path) ?? label) !== label);
  throw problem(
    'dataset_layout',
    `The folders and ${names} say different labels: ${JSON.stringify(torn?.path)} is ${JSON.stringify(torn?.label)} by its folder and ${JSON.stringify(byTable.get(torn?.path ?? ''))} by the table`,
    { hint: `Say which is meant: layout=folder, or csv=${tables[0]?.path}.` },
  );
}

function refuse(failures: readonly Failure[], images: readonly NamedFile[]): never {
  const [first, ...others] = failures;
  if (first && others.length === 0) throw first.error;
  if (first) {
    const reasons = failures.map(({ name, error }) => `${name}: ${error.message}`);
    throw problem('dataset_layout', `No layout fits. ${reasons.join('. ')}`, {
      hint: first.error.hint,
    });
  }
  const folder = commonFolder(images).join('/');
  const lie = images.every(({ path }) => folderOf(path) === folder)
    ? `All images lie in one folder (${folder === '' ? 'the top' : JSON.stringify(folder)})`
    : `No image lies in a folder named as a class: they are in ${foldersOf(images)}`;
  throw problem('dataset_layout', `${lie}, and no table says their labels; expected ${layouts}`);
}

function bySplits(images: readonly NamedFile[]): Labelling | null {
  const splits = findSplits(images);
  const labelling = splits && labelBySplits(images, splits);
  return labelling && settleSplits(labelling);
}

function byFolders(images: readonly NamedFile[]): Labelling | null {
  const { length } = commonFolder(images);
  const placed = images.map((file) => ({ file, folders: file.path.split('/').slice(length, -1) }));
  if (!haveClassFolders(placed)) return null;
  const held = commonFolder(images).find((folder) =>
    ['valid', 'test'].includes(splitOf(folder) ?? ''),
  );
  if (held !== undefined) {
    throw problem(
      'dataset_layout',
      `All images lie under ${JSON.stringify(`${held}/`)}, which is named as a split that is not trained on`,
      { hint: 'Send train/ beside it, or give the folder another name.' },
    );
  }
  const labelling = labelByClassFolders(placed);
  return labelling.files.length === 0 ? null : settleSplits(labelling);
}

function foldersOf(images: readonly NamedFile[]): string {
  return some([...new Set(images.map(({ path }) => `${folderOf(path)}/`))]);
}

function folderOf(path: string): string {
  return path.split('/').slice(0, -1).join('/');
}
