// A table of labels as text: its delimiter found out, its lines numbered as an editor numbers them.

import { CsvError, type Info, parse } from 'csv-parse/sync';
import { type Problem, problem } from '../../domain/problem.ts';

export type Row = { cells: string[]; line: number };
/** `path` is the file's in the archive; rows hold the header where there is one. */
export type Table = { path: string; rows: Row[] };

const delimiters = [',', ';', '\t', '|'];
const sniffedLines = 200;

/**
 * The rows of a table, cells trimmed, empty cells at the end of a line dropped.
 * @throws Problem `labels_invalid` that names the line
 */
export function readTable(path: string, text: string): Table {
  const stated = /^\uFEFF?sep=(.)[ \t,;]*(?=\r?\n|$)/i.exec(text);
  const body = stated ? text.slice(stated[0].length) : text;
  const delimiter = stated?.[1] ?? delimiterOf(body);
  let rows: Row[];
  try {
    rows = rowsOf(body, delimiter);
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw invalidRow(path, Number(error.lines ?? 0), error.message);
  }
  const [first] = rows;
  if (first && first.cells.length < 2) {
    throw invalidRow(
      path,
      first.line,
      `expected two columns, name and label, got ${JSON.stringify(first.cells[0]?.slice(0, 100) ?? '')}`,
    );
  }
  for (const { cells, line } of rows) {
    const most = first?.cells.length ?? 0;
    if (cells.length > most) {
      throw invalidRow(path, line, `${cells.length} columns, where the first line has ${most}`);
    }
  }
  return { path, rows };
}

/** The fault of one line. */
export function invalidRow(path: string, line: number, detail: string, hint?: string): Problem {
  const name = path.split('/').at(-1);
  return problem('labels_invalid', `${name}, line ${line}: ${detail}`, hint ? { hint } : {});
}

/** The delimiter by which most lines have as many columns as the first, and that has two or more. */
function delimiterOf(text: string): string {
  const head = text.split('\n', sniffedLines).join('\n');
  const scores = delimiters.map((delimiter) => {
    try {
      const rows = rowsOf(head, delimiter);
      const columns = rows[0]?.cells.length ?? 0;
      if (columns < 2) return 0;
      return rows.filter(({ cells }) => cells.length === columns).length / rows.length;
    } catch {
      return 0;
    }
  });
  return delimiters[scores.indexOf(Math.max(...scores))] ?? ',';
}

function rowsOf(text: string, delimiter: string): Row[] {
  // `info: true` changes the shape of what comes back, which the types do not say
  const records = parse(text, {
    bom: true,
    delimiter,
    record_delimiter: ['\r\n', '\n', '\r'],
    info: true,
    trim: true,
    relax_column_count: true,
    skip_empty_lines: true,
    skip_records_with_empty_values: true,
    max_record_size: 2 ** 16,
  }) as unknown as { record: string[]; info: Info }[];
  return records.map(({ record, info }) => {
    const cells = record.map((cell) => cell.trim().normalize('NFC'));
    return {
      cells: cells.slice(0, cells.findLastIndex((cell) => cell !== '') + 1),
      line: info.lines,
    };
  });
}
