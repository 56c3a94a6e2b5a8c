// What benches print: a Markdown table, so that the README can quote it, and one line of JSON for machines.

/** One measurement beside its peer; a bench adds fields of its own. The ratio is ours / peer: over 1 is faster. */
export type Row = {
  case: string;
  batch: number;
  size: number;
  precision: string;
  images_per_second: number;
  peer: string | null;
  peer_images_per_second: number | null;
  ratio: number | null;
};

/** Header to cell. */
export type Columns<R> = Record<string, (row: R) => string>;

/** Prints the rows and, with `json`, the same as the last line. */
export function printTable<R extends object>(
  { machine, rows }: { machine: string; rows: readonly R[] },
  columns: Columns<R>,
  { json }: { json: boolean },
): void {
  const headers = Object.keys(columns);
  const cells = rows.map((row) => Object.values(columns).map((cell) => cell(row)));
  const widths = headers.map((header, i) =>
    Math.max(header.length, ...cells.map((line) => line[i]?.length ?? 0)),
  );
  // the first column is read as words, the others as numbers
  const line = (texts: readonly string[]) =>
    `| ${texts.map((text, i) => (i === 0 ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, i) =>
    i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  console.log(['', line(headers), line(rule), ...cells.map(line), ''].join('\n'));
  if (json) console.log(JSON.stringify({ machine, rows }));
}

/** Ours beside the peer's, where there is one. */
export function compared(ours: number, peer: { name: string; imagesPerSecond: number } | null) {
  return {
    images_per_second: ours,
    peer: peer?.name ?? null,
    peer_images_per_second: peer?.imagesPerSecond ?? null,
    ratio: peer ? ours / peer.imagesPerSecond : null,
  };
}

/** Three figures that count; a dash for what was not measured. */
export function figures(value: number | null): string {
  if (value === null || !Number.isFinite(value)) return '-';
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

export const percent = (share: number | null) =>
  share === null ? '-' : `${(100 * share).toFixed(0)}%`;
