import { byCodePoint } from '../domain/code-point-order.ts';
import type { DatasetReport } from '../domain/dataset.ts';
import { some } from '../domain/some.ts';

const reasonsMax = 3;
const inWords = { train: 'for training', valid: 'for validation', test: 'for the test' };

/** What came of an upload in a sentence or two, for a person. */
export function summaryOf(report: Omit<DatasetReport, 'summary' | 'created_at'>): string {
  const { images, counts, error, warnings } = report;
  const parts = [
    error ? `No data set: ${error.message}.` : `${images} images of ${classes(counts)}.`,
  ];
  if (!error) parts.push(splits(counts));
  if (report.skipped_total > 0) {
    parts.push(`${files(report.skipped_total)} left out: ${reasons(report.skipped_reasons)}.`);
  }
  if (report.duplicates_total > 0) {
    parts.push(`${report.duplicates_total} images are there more than once.`);
  }
  if (warnings.length > 0) {
    parts.push(`${warnings.length} warning${warnings.length === 1 ? '' : 's'}.`);
  }
  return parts.filter((part) => part !== '').join(' ');
}

function classes({ train, unsplit }: DatasetReport['counts']): string {
  const names = Object.keys({ ...train, ...unsplit }).sort(byCodePoint);
  return `${names.length} classes (${some(names)})`;
}

function splits(counts: DatasetReport['counts']): string {
  const said = (['train', 'valid', 'test'] as const)
    .map((split) => [total(counts[split]), inWords[split]] as const)
    .filter(([count]) => count > 0)
    .map(([count, words]) => `${count} ${words}`);
  const unsplit = total(counts.unsplit);
  const random = unsplit > 0 ? [`${unsplit} to be split at random by each job`] : [];
  return `${[...random, ...said].join(', ')}.`;
}

function total(counts: Record<string, number>): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

function reasons(groups: DatasetReport['skipped_reasons']): string {
  const counts = new Map<string, number>();
  for (const { reason, count } of groups) counts.set(reason, (counts.get(reason) ?? 0) + count);
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const shown = sorted.slice(0, reasonsMax).map(([reason, count]) => `${reason} (${count})`);
  return sorted.length > reasonsMax ? `${shown.join('; ')}; ...` : shown.join('; ');
}

function files(count: number): string {
  return `${count} file${count === 1 ? '' : 's'}`;
}
