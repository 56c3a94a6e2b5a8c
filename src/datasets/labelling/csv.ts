import { CsvError, type Info, parse } from 'csv-parse/sync';
import { problem } from '../../domain/problem.ts';
import { commonFolder, type Labelling, type NamedFile, some } from './files.ts';

type Row = { name: string; label: string; line: number };

/**
 * Labels by a labels.csv whose first two columns are name and label, as fastai's from_csv: names are
 * relative to the folder of the csv (or to the folder of the images), the first line is a header.
 * @throws Problem `labels_invalid` that names the line
 */
export function labelByCsv(csv: NamedFile, files: readonly NamedFile[]): Labelling {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const roots = rootsBetween(csv, files);
  const find = (name: string) => {
    for (const root of roots) {
      const file = byPath.get(root === '' ? name : `${root}/${name}`);
      if (file) return file;
    }
    return null;
  };
  const labelling: Labelling = { files: [], skipped: [], warnings: [] };
  const labels = new Map<string, string>();
  let repeated = 0;
  rowsOf(csv.text ?? '').forEach((row, position) => {
    const file = find(row.name);
    if (position === 0) {
      if (!file) return;
      labelling.warnings.push('labels.csv has no header line; its first line is taken as an image');
    }
    if (row.label === '') throw invalid(row.line, 'the label is empty');
    if (!file) {
      labelling.skipped.push({ file: row.name, reason: 'in labels.csv, not in the archive' });
      return;
    }
    const earlier = labels.get(file.path);
    if (earlier !== undefined && earlier !== row.label) {
      throw invalid(
        row.line,
        `${JSON.stringify(row.name)} is ${JSON.stringify(row.label)} here and ${JSON.stringify(earlier)} above`,
      );
    }
    if (earlier !== undefined) repeated++;
    else
      labelling.files.push({ index: file.index, path: file.path, label: row.label, split: null });
    labels.set(file.path, row.label);
  });
  if (repeated > 0) labelling.warnings.push(`${repeated} lines of labels.csv repeat another`);
  const unnamed = files
    .filter((file) => file.isImage && !labels.has(file.path))
    .map((file) => file.path);
  if (unnamed.length > 0) {
    labelling.warnings.push(`${unnamed.length} images are not in labels.csv: ${some(unnamed)}`);
  }
  return labelling;
}

/** Every folder from the csv's down to the one that all images share. */
function rootsBetween(csv: NamedFile, files: readonly NamedFile[]): string[] {
  const from = csv.path.split('/').length - 1;
  const shared = commonFolder(files.filter((file) => file.isImage));
  const roots = [csv.path.split('/').slice(0, from).join('/')];
  for (let depth = from + 1; depth <= shared.length; depth++) {
    roots.push(shared.slice(0, depth).join('/'));
  }
  return roots;
}

function rowsOf(text: string): Row[] {
  let records: { record: string[]; info: Info }[];
  try {
    // `info: true` changes the shape of what comes back, which the types do not say
    records = parse(text, {
      bom: true,
      info: true,
      skip_empty_lines: true,
      max_record_size: 2 ** 16,
    }) as unknown as { record: string[]; info: Info }[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw invalid(Number(error.lines ?? 0), error.message);
  }
  return records.map(({ record, info }) => {
    const [name, label] = record;
    if (name === undefined || label === undefined) {
      throw invalid(info.lines, 'expected two columns, name and label');
    }
    return { name: safeName(name.trim(), info.lines), label: label.trim(), line: info.lines };
  });
}

function safeName(name: string, line: number): string {
  const path = name.replaceAll('\\', '/');
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  if (path.startsWith('/') || /^[A-Za-z]:\//.test(path) || segments.includes('..')) {
    throw invalid(line, `${JSON.stringify(name.slice(0, 200))} points outside of the archive`);
  }
  return segments.join('/');
}

function invalid(line: number, detail: string) {
  return problem('labels_invalid', `labels.csv, line ${line}: ${detail}`);
}
