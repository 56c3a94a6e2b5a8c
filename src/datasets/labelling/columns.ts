// What each column of a table is: the file's name, its label, its split. By the words of the header, and by
// which cells are files; where that leaves a doubt the uploader is asked.

import { problem } from '../../domain/problem.ts';
import type { FileNames } from './file-names.ts';
import type { LabelOptions } from './files.ts';
import { splitOf, splitWord } from './split-words.ts';
import { invalidRow, type Row, type Table } from './table.ts';

export type Columns = {
  /** null where the table begins with an image. */
  header: Row | null;
  rows: Row[];
  name: number;
  /** One column, or one per class of which each row marks one. */
  label: { at: number } | { oneHot: number[] };
  split: number | null;
  /** Whether the header or the uploader names the label; else it is the one column left. */
  sure: boolean;
  warnings: string[];
};

const nameWords = 'image img file filename filepath path photo picture name fname id'.split(' ');
const labelWords =
  'label labels class classes classname category categories target targets tag tags breed species variety disease diagnosis dx choice y'.split(
    ' ',
  );
const splitColumns = /^(split|fold|set|subset|partition|phase)$/i;
const yesNoColumns = /^(?:is[_ ]?(valid|val|validation|test|train)|(valid|val|validation))$/i;
const indexColumns = /^(|unnamed: ?\d+|index|idx|row|no|#)$/i;
const imageEnding = /\.(jpe?g|png|gif|webp|tiff?|bmp|p[bgnp]m)$/i;
const sampledRows = 300;
const listedMax = 10;

/** @throws Problem `labels_invalid`, `labels_ambiguous` with the columns and the parameter that says it outright */
export function columnsOf(table: Table, names: FileNames, options: LabelOptions): Columns {
  const [first, ...rest] = table.rows;
  if (!first) throw problem('labels_invalid', `${table.path} has no line`);
  const width = first.cells.length;
  const sample = rest.length > 0 ? rest.slice(0, sampledRows) : [first];
  const header = isHeader(first, rest, names) ? first : null;
  const titles = Array.from({ length: width }, (_, at) => header?.cells[at] ?? `column ${at + 1}`);
  const explicit = (parameter: 'name_column' | 'label_column') =>
    sought(titles, options[parameter], parameter, table);
  const name = explicit('name_column') ?? nameColumn(titles, sample, names);
  const others = titles.map((_, at) => at).filter((at) => at !== name);
  const rows = header ? rest : [first, ...rest];
  const split =
    others.find((at) => header && isSplit(titles[at] ?? '')) ??
    others.find((at) => saysSplits(rows, at)) ??
    null;
  const said = explicit('label_column');
  const candidates = others.filter((at) => at !== split && !indexColumns.test(titles[at] ?? ''));
  const warnings: string[] = [];
  const label =
    said === null ? labelColumn(titles, candidates, rows, table, warnings) : { at: said };
  const used = new Set('at' in label ? [name, split, label.at] : [name, split, ...label.oneHot]);
  const unused = candidates.filter((at) => !used.has(at));
  if (unused.length > 0) {
    warnings.push(`not used of ${table.path}: ${listed(unused.map((at) => titles[at] ?? ''))}`);
  }
  if (!header)
    warnings.push(`${table.path} has no header line; its first line is taken as an image`);
  const sure = said !== null || 'oneHot' in label || isWord(titles[label.at] ?? '', labelWords);
  return { header, rows, name, label, split, sure, warnings };
}

function isHeader(first: Row, rest: readonly Row[], names: FileNames): boolean {
  const words = first.cells.filter((cell) => isWord(cell, [...nameWords, ...labelWords])).length;
  if (words >= 2) return true;
  if (first.cells.some((cell) => names.mayBe(cell).known || imageEnding.test(cell))) return false;
  // a label of other rows in the first one: an image that is not in the archive
  return !first.cells.some(
    (cell, at) => cell !== '' && rest.some(({ cells }) => cells[at] === cell),
  );
}

function nameColumn(titles: readonly string[], sample: readonly Row[], names: FileNames): number {
  const scores = titles.map((title, at) => {
    const cells = sample.map(({ cells }) => cells[at] ?? '').filter((cell) => cell !== '');
    const share = (test: (cell: string) => boolean) =>
      cells.filter(test).length / Math.max(1, sample.length);
    const known = share((cell) => names.mayBe(cell).known);
    const exact = share((cell) => names.mayBe(cell).exactly);
    const ending = share((cell) => imageEnding.test(cell));
    const word = isWord(title, nameWords) && !isWord(title, labelWords);
    const index = indexColumns.test(title);
    // the file's whole name says more than a number that a file may have
    return 8 * ending + 4 * exact + 2 * known + (word ? 1.5 : 0) - (index ? 3 : 0) - at / 1000;
  });
  return scores.indexOf(Math.max(...scores));
}

function labelColumn(
  titles: readonly string[],
  candidates: readonly number[],
  rows: readonly Row[],
  table: Table,
  warnings: string[],
): Columns['label'] {
  const worded = candidates.filter((at) => isWord(titles[at] ?? '', labelWords));
  if (worded.length === 1 && worded[0] !== undefined) return { at: worded[0] };
  if (worded.length > 1) return { at: sameLabels(titles, worded, rows, table, warnings) };
  if (candidates.length >= 2 && isOneHot(candidates, rows)) return { oneHot: [...candidates] };
  const [only] = candidates;
  if (candidates.length === 1 && only !== undefined) return { at: only };
  throw doubt(
    candidates.length === 0
      ? `${table.path} has no column of labels beside the names: its columns are ${listed(titles)}`
      : `which column of ${table.path} is the label? It has ${listed(candidates.map((at) => titles[at] ?? ''))}`,
  );
}

/** Columns that say the same in other words (`class_id`, `class_name`): the one with letters. */
function sameLabels(
  titles: readonly string[],
  worded: readonly number[],
  rows: readonly Row[],
  table: Table,
  warnings: string[],
): number {
  const [first = 0, ...others] = worded;
  const pairs = (a: number, b: number) =>
    new Set(rows.map(({ cells }) => JSON.stringify([cells[a], cells[b]]))).size;
  const distinct = (at: number) => new Set(rows.map(({ cells }) => cells[at])).size;
  const same = others.every(
    (at) => pairs(first, at) === distinct(first) && distinct(at) === distinct(first),
  );
  const shown = worded.map((at) => quoted(titles[at])).join(', ');
  if (!same) {
    throw problem(
      'labels_ambiguous',
      `Several columns of ${table.path} may be the label: ${shown}`,
      { hint: 'Say which: label_column=…' },
    );
  }
  const chosen =
    worded.find((at) => rows.some(({ cells }) => /\p{L}/u.test(cells[at] ?? ''))) ?? first;
  warnings.push(`${shown} of ${table.path} say the same: ${quoted(titles[chosen])} is the label`);
  return chosen;
}

function isOneHot(columns: readonly number[], rows: readonly Row[]): boolean {
  return rows.every(({ cells }) =>
    columns.every((at) => /^([01](\.0+)?|true|false)?$/i.test(cells[at] ?? '')),
  );
}

/** The label that a row says. @throws Problem `labels_invalid` that names the line */
export function labelOf(row: Row, { label, header, name }: Columns, table: Table): string {
  const { cells, line } = row;
  if ('at' in label) {
    const said = cells[label.at] ?? '';
    if (said === '') throw invalidRow(table.path, line, 'the label is empty');
    return said;
  }
  const marked = label.oneHot.filter((at) => /^(1(\.0+)?|true)$/i.test(cells[at] ?? ''));
  const [only] = marked;
  if (marked.length === 1 && only !== undefined) return header?.cells[only] ?? '';
  const classes = marked.map((at) => quoted(header?.cells[at]));
  throw invalidRow(
    table.path,
    line,
    `${quoted(cells[name])} is ${marked.length === 0 ? 'of no class' : `of ${classes.length} classes (${classes.join(', ')})`}`,
    'onecycle trains one label per image: give each image one class, or leave it out of the table.',
  );
}

/** The split that a row says, null for none. @throws Problem `labels_invalid` that names the line */
export function splitOfRow(row: Row, columns: Columns, table: Table) {
  if (columns.split === null) return null;
  const title = columns.header?.cells[columns.split] ?? `column ${columns.split + 1}`;
  const said = row.cells[columns.split] ?? '';
  const yesNo = yesNoColumns.exec(title);
  const asked = yesNo?.[1] ?? yesNo?.[2];
  if (asked !== undefined) {
    const split = splitWord(asked)?.split ?? 'valid';
    if (/^(true|t|yes|y|1|1\.0)$/i.test(said)) return split;
    if (/^(false|f|no|n|0|0\.0|)$/i.test(said))
      return split === 'train' ? ('valid' as const) : ('train' as const);
  } else {
    const word = splitWord(said);
    if (word?.of === '') return word.split;
  }
  throw invalidRow(
    table.path,
    row.line,
    `${quoted(title)} is ${quoted(said)}: expected ${asked === undefined ? 'train, valid or test' : 'true or false'}`,
  );
}

/** A column of numbers named fold: the lowest is for validation. */
export function foldsOf(columns: Columns): string[] | null {
  const at = columns.split;
  if (at === null || !/^fold$/i.test(columns.header?.cells[at] ?? '')) return null;
  const folds = [...new Set(columns.rows.map(({ cells }) => cells[at] ?? ''))];
  if (folds.length < 2 || !folds.every((fold) => /^\d+(\.0+)?$/.test(fold))) return null;
  return folds.sort((a, b) => Number(a) - Number(b));
}

function sought(
  titles: readonly string[],
  said: string | null,
  parameter: string,
  table: Table,
): number | null {
  if (said === null) return null;
  const wanted = said.trim().normalize('NFC');
  const at = titles.indexOf(wanted);
  const folded = titles.findIndex((title) => title.toLowerCase() === wanted.toLowerCase());
  if (at >= 0 || folded >= 0) return at >= 0 ? at : folded;
  throw doubt(
    `${parameter}=${said}: ${table.path} has no such column, its columns are ${listed(titles)}`,
  );
}

/** Whether each cell is a split's word, and they are not all the same (Vertex AI: `TRAIN,gs://…,cat`). */
function saysSplits(rows: readonly Row[], at: number): boolean {
  const splits = rows.map(({ cells }) => splitOf(cells[at]));
  return splits.every((split) => split !== null) && new Set(splits).size > 1;
}

function isSplit(title: string): boolean {
  return splitColumns.test(title) || yesNoColumns.test(title);
}

function isWord(title: string, words: readonly string[]): boolean {
  return title
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}]+/u)
    .some((word) => words.includes(word));
}

function doubt(detail: string) {
  return problem('labels_invalid', detail, {
    hint: 'Say it outright: name_column=… and label_column=… with the words of the header (or "column 3"), csv=… for the table.',
  });
}

function listed(titles: readonly string[]): string {
  const shown = titles.slice(0, listedMax).map(quoted).join(', ');
  return titles.length > listedMax ? `${shown} and ${titles.length - listedMax} more` : shown;
}

function quoted(text: string | undefined): string {
  return JSON.stringify((text ?? '').slice(0, 200));
}
