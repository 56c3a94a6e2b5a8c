// Labels by tables: which of the archive's tables say labels, and which file each of their lines means.

import { Problem, problem } from '../../domain/problem.ts';
import { some } from '../../domain/some.ts';
import { settleSplits } from './class-folders.ts';
import { type Columns, columnsOf, foldsOf, labelOf, splitOfRow } from './columns.ts';
import { FileNames, type Resolved } from './file-names.ts';
import type { LabelledFile, Labelling, LabelOptions, NamedFile } from './files.ts';
import { takeFolders } from './split-folders.ts';
import { splitOf } from './split-words.ts';
import { invalidRow, readTable, type Table } from './table.ts';

type Reading = { table: Table; columns: Columns; resolved: Resolved };

/**
 * Labels by the tables of an archive; `sure` where a header names the column of labels.
 * @throws Problem `labels_invalid`, `dataset_layout`
 */
export function labelByTables(
  files: readonly NamedFile[],
  options: LabelOptions,
): Labelling & { sure: boolean } {
  const names = new FileNames(files.filter((file) => file.text === undefined));
  const { readings, unused } = chosen(files, names, options);
  const labelling: Labelling = {
    files: [],
    skipped: [],
    warnings: [],
    tables: readings.map(({ table }) => table.path),
  };
  const labels = new Map<string, LabelledFile>();
  for (const reading of readings) readRows(reading, readings, labels, labelling);
  labelling.files.push(...labels.values());
  for (const { path, why } of unused) labelling.warnings.push(`${path} is not used: ${why}`);
  const unnamed = files.filter(({ isImage, path }) => isImage && !labels.has(path));
  if (unnamed.length > 0) {
    const tables = readings.map(({ table }) => table.path).join(', ');
    for (const { path } of unnamed) {
      labelling.skipped.push({ file: path, reason: `not in ${tables}` });
    }
    labelling.warnings.push(
      `${unnamed.length} images are not in ${tables} and left out: ${some(unnamed.map(({ path }) => path))}`,
    );
  }
  const images = files.filter(({ isImage }) => isImage);
  const sure = readings.every(({ columns }) => columns.sure);
  return { ...settleSplits(takeFolders(labelling, images)), sure };
}

/** Whether a file may be a table of labels, by its name. */
export function isTableName(path: string): boolean {
  return /\.(csv|tsv|tab)$/i.test(path);
}

/** Whether a table's name says that it holds the labels: labels.csv, Roboflow's _classes.csv. */
export function isLabelsTable(path: string): boolean {
  return /(^|\/)_?(labels|classes)\.[^.]+$/i.test(path);
}

/** The tables that say labels of files that are there, and why the others are not used. */
function chosen(files: readonly NamedFile[], names: FileNames, options: LabelOptions) {
  const tables = files.filter((file) => file.text !== undefined);
  const asked = options.csv;
  const wanted = tables.filter(({ path }) => asked === null || endsWith(path, asked));
  if (wanted.length === 0) {
    throw problem(
      'dataset_layout',
      asked === null
        ? 'Found no labels.csv, nor any other table, in the archive'
        : `The archive has no table ${JSON.stringify(asked)}: ${tables.length === 0 ? 'it has none' : `it has ${some(tables.map(({ path }) => path))}`}`,
    );
  }
  const unused: { path: string; why: string }[] = [];
  const failures: { path: string; error: Problem }[] = [];
  const readings: Reading[] = [];
  for (const { path, text = '', unreadable } of wanted) {
    if (asked === null && /submission/i.test(path)) {
      unused.push({ path, why: 'it is named as a submission, whose labels are examples' });
      continue;
    }
    try {
      if (unreadable) throw unreadable;
      readings.push(readingOf(readTable(path, text), names, options));
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      failures.push({ path, error });
    }
  }
  const best = preferred(readings, unused);
  const [failure] = failures.sort((a, b) => rank(a.path) - rank(b.path) || order(a, b));
  if (best.length === 0 || (failure && rank(failure.path) < rank(best[0]?.table.path ?? ''))) {
    throw (
      failure?.error ??
      problem('dataset_layout', unused.map(({ path, why }) => `${path}: ${why}`).join('; '))
    );
  }
  for (const { path, error } of failures) unused.push({ path, why: error.message });
  return { readings: best, unused };
}

/** labels.csv before tables of other names, and of these one, or one for each split. */
function preferred(
  readings: readonly Reading[],
  unused: { path: string; why: string }[],
): Reading[] {
  const lowest = Math.min(...readings.map(({ table }) => rank(table.path)));
  const best = readings.filter(({ table }) => rank(table.path) === lowest);
  for (const { table } of readings.filter((reading) => !best.includes(reading))) {
    unused.push({ path: table.path, why: `${best[0]?.table.path} is read` });
  }
  const titles = new Set(best.map(({ columns }) => JSON.stringify(columns.header?.cells ?? null)));
  if (best.length > 1 && titles.size > 1) {
    throw problem(
      'dataset_layout',
      `${best.length} tables say labels, each with columns of its own: ${some(best.map(({ table }) => table.path))}`,
      { hint: 'Say which: csv=<path of the table in the archive>.' },
    );
  }
  return best;
}

function readingOf(table: Table, names: FileNames, options: LabelOptions): Reading {
  const columns = columnsOf(table, names, options);
  const cells = columns.rows.map((row) => row.cells[columns.name] ?? '');
  columns.rows.forEach(({ line }, i) => {
    if (/(^|[\\/])\.\.([\\/]|$)/.test(cells[i] ?? '')) {
      throw invalidRow(
        table.path,
        line,
        `${JSON.stringify(cells[i]?.slice(0, 200))} points outside of the archive`,
      );
    }
  });
  const resolved = names.resolve(cells, table.path.split('/').slice(0, -1).join('/'));
  if (
    columns.rows.length > 0 &&
    !resolved.found.some((found) => found !== null && found !== 'several')
  ) {
    throw nothingFound(table, columns, cells, names, resolved.found.includes('several'));
  }
  if (
    resolved.rivals.length > 0 &&
    resolved.found.some((found) => found !== 'several' && found?.elsewhere === false)
  ) {
    throw problem(
      'dataset_layout',
      `The names in ${table.path}, such as ${JSON.stringify(cells[0])}, fit files in several folders: ${some([resolved.root, ...resolved.rivals].map((root) => `${root}/`))}`,
      { hint: 'Write the folder into the names, or leave the other folder out of the archive.' },
    );
  }
  return { table, columns, resolved };
}

/** What was compared with what, when no line of a table means a file. */
function nothingFound(
  table: Table,
  columns: Columns,
  cells: string[],
  names: FileNames,
  several: boolean,
) {
  const title = columns.header?.cells[columns.name] ?? `column ${columns.name + 1}`;
  const extension = (path: string) => /\.[^./]+$/.exec(path)?.[0] ?? 'none';
  const images = names.examples();
  const cause = several
    ? 'each name fits several files'
    : images.length > 0 && cells[0] && extension(images[0] ?? '') !== extension(cells[0])
      ? `the names end in ${extension(cells[0])}, the files in ${extension(images[0] ?? '')}`
      : 'the table is of other images, or another column holds the names';
  return problem(
    'dataset_layout',
    `No name in column ${JSON.stringify(title)} of ${table.path} is a file of the archive. Names: ${some(cells)}. Files: ${some(images)}. Probably ${cause}`,
    {
      hint: 'name_column=… says which column holds the names, csv=… which table is meant; names may lack the folder and the extension, nothing else.',
    },
  );
}

function readRows(
  { table, columns, resolved }: Reading,
  all: readonly Reading[],
  labels: Map<string, LabelledFile>,
  labelling: Labelling,
): void {
  const folds = foldsOf(columns);
  const said =
    all.length > 1
      ? splitOf(
          table.path
            .split('/')
            .at(-1)
            ?.replace(/\.[^.]+$/, ''),
        )
      : null;
  const counts = { repeated: 0, gone: 0, several: 0, case: 0, elsewhere: 0 };
  const examples = { gone: '', case: '', elsewhere: '' };
  columns.rows.forEach((row, i) => {
    const label = labelOf(row, columns, table);
    const name = row.cells[columns.name] ?? '';
    const found = resolved.found[i] ?? null;
    if (found === null || found === 'several') {
      const reason =
        found === null
          ? `in ${table.path}, not in the archive`
          : `in ${table.path}, fits several files of the archive`;
      labelling.skipped.push({ file: name, reason });
      counts.gone++;
      examples.gone ||= name;
      return;
    }
    const { file, way, elsewhere } = found;
    if (way === 'case' || way === 'case_no_extension') {
      counts.case++;
      examples.case ||= `${JSON.stringify(name)} is ${JSON.stringify(file.path)}`;
    }
    if (elsewhere) {
      counts.elsewhere++;
      examples.elsewhere ||= `${JSON.stringify(name)} is ${JSON.stringify(file.path)}`;
    }
    const split = folds
      ? row.cells[columns.split ?? -1] === folds[0]
        ? 'valid'
        : 'train'
      : splitOfRow(row, columns, table);
    const earlier = labels.get(file.path);
    if (earlier && earlier.label !== label) {
      throw invalidRow(
        table.path,
        row.line,
        `${JSON.stringify(name)} is ${JSON.stringify(label)} here and ${JSON.stringify(earlier.label)} above`,
        'onecycle trains one label per image: give each image one line.',
      );
    }
    if (earlier) counts.repeated++;
    else labels.set(file.path, { index: file.index, path: file.path, label, split: split ?? said });
  });
  const say = (count: number, text: string) => {
    if (count > 0) labelling.warnings.push(`${count} ${text}`);
  };
  labelling.warnings.push(...columns.warnings);
  if (folds) {
    labelling.warnings.push(
      `column fold of ${table.path} has ${folds.length} folds: ${folds[0]} is taken for validation, the others for training`,
    );
  }
  say(counts.repeated, `lines of ${table.path} repeat another`);
  say(
    counts.gone,
    `lines of ${table.path} name no file of the archive, such as ${JSON.stringify(examples.gone)}`,
  );
  say(counts.case, `names in ${table.path} differ from the files by case: ${examples.case}`);
  say(
    counts.elsewhere,
    `names in ${table.path} were found in another folder by their base name: ${examples.elsewhere}`,
  );
}

function rank(path: string): number {
  return isLabelsTable(path) ? 0 : 1;
}

function order(a: { path: string }, b: { path: string }): number {
  return a.path.length - b.path.length;
}

function endsWith(path: string, end: string): boolean {
  const wanted = end.replace(/^\.?\//, '').normalize('NFC');
  return path === wanted || path.endsWith(`/${wanted}`);
}
