import type { DatasetReport, ManifestItem, SplitCounts } from '../domain/dataset.ts';
import type { Problem } from '../domain/problem.ts';
import { some } from '../domain/some.ts';
import { summaryOf } from './summary.ts';

const skippedListedMax = 1000;
const reasonsMax = 1000;
const listedMax = 200;
const sizesMax = 20;

type Skipped = { file: string; reason: string };

/** What was found on the way, for the report; lists are cut, totals are not. */
export class Findings {
  private readonly skipped: Skipped[] = [];
  /** Of files that nobody misses: named after the others, where there is room. */
  private readonly minor: Skipped[] = [];
  private readonly warnings: string[] = [];
  private readonly tables: string[] = [];

  /** A file that is no image of the set. */
  skip(file: string, reason: string, { minor = false } = {}): void {
    (minor ? this.minor : this.skipped).push({ file, reason });
  }

  warn(message: string): void {
    this.warnings.push(message);
  }

  /** A table that labels were read from. */
  useTable(path: string): void {
    this.tables.push(path);
  }

  /** A few of the files that were skipped, with why. */
  skippedAmong(files: ReadonlySet<string>): string {
    const found = this.skipped.filter(({ file }) => files.has(file)).slice(0, 3);
    return found.map(({ file, reason }) => `${JSON.stringify(file)}: ${reason}`).join('; ');
  }

  /** Paths that were skipped. */
  skippedFiles(): ReadonlySet<string> {
    return new Set([...this.skipped, ...this.minor].map(({ file }) => file));
  }

  /** The commonest reasons with their counts, for a message. */
  reasonsInWords(): string {
    const reasons = grouped([...this.skipped, ...this.minor], () => null).slice(0, 5);
    return reasons.map(({ reason, count }) => `${count} (${reason})`).join(', ') || 'nothing';
  }

  report(items: readonly ManifestItem[], error: Problem | null): DatasetReport {
    const duplicates = duplicatesOf(items);
    const sizes = sizesOf(items);
    const skipped = [...this.skipped, ...this.minor];
    const facts = {
      images: items.length,
      counts: countsOf(items),
      skipped: skipped.slice(0, skippedListedMax),
      skipped_total: skipped.length,
      skipped_reasons: reasonsOf(skipped),
      used_tables: this.tables,
      turned: items.filter(({ orientation }) => orientation > 1).length,
      duplicates: duplicates.slice(0, listedMax).map((group) => ({
        files: group.slice(0, 20).map((item) => item.file),
        labels: [...new Set(group.map((item) => item.label))].slice(0, 20),
      })),
      duplicates_total: duplicates.length,
      warnings: [...this.warnings, ...leaks(duplicates)],
      sizes: sizes.slice(0, sizesMax),
      sizes_total: sizes.length,
      error: error && { code: error.code, message: error.message, hint: error.hint },
    };
    return { summary: summaryOf(facts), ...facts, created_at: new Date().toISOString() };
  }
}

/** Counts per reason and folder; where those are too many, per reason; and then of the rest together. */
function reasonsOf(skipped: readonly Skipped[]): DatasetReport['skipped_reasons'] {
  const groups = grouped(skipped, ({ file }) => file.split('/').slice(0, -1).join('/'));
  if (groups.length <= reasonsMax) return groups;
  const reasons = grouped(skipped, () => null);
  const others = reasons.splice(reasonsMax - 1);
  const count = others.reduce((sum, group) => sum + group.count, 0);
  return others.length > 0
    ? [...reasons, { reason: 'other reasons', folder: null, count }]
    : reasons;
}

function grouped(
  skipped: readonly Skipped[],
  folderOf: (skipped: Skipped) => string | null,
): DatasetReport['skipped_reasons'] {
  const groups = new Map<string, DatasetReport['skipped_reasons'][number]>();
  for (const one of skipped) {
    const folder = folderOf(one);
    const key = JSON.stringify([one.reason, folder]);
    const group = groups.get(key) ?? { reason: one.reason, folder, count: 0 };
    group.count++;
    groups.set(key, group);
  }
  return [...groups.values()].sort((a, b) => b.count - a.count);
}

function countsOf(items: readonly ManifestItem[]): SplitCounts {
  const splits = { train: new Map(), valid: new Map(), test: new Map(), unsplit: new Map() };
  for (const { split, label } of items) {
    const counts: Map<string, number> = splits[split ?? 'unsplit'];
    counts.set(label, (counts.get(label) ?? 0) + 1);
  }
  // fromEntries defines own properties, also for a class named __proto__
  return {
    train: Object.fromEntries(splits.train),
    valid: Object.fromEntries(splits.valid),
    test: Object.fromEntries(splits.test),
    unsplit: Object.fromEntries(splits.unsplit),
  };
}

/** Groups of items whose files are equal byte for byte. */
function duplicatesOf(items: readonly ManifestItem[]): ManifestItem[][] {
  const groups = new Map<string, ManifestItem[]>();
  for (const item of items) {
    const group = groups.get(item.sha256);
    if (group) group.push(item);
    else groups.set(item.sha256, [item]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

function leaks(duplicates: readonly ManifestItem[][]): string[] {
  const warnings: string[] = [];
  const leaked = duplicates.filter((group) => new Set(group.map((item) => item.split)).size > 1);
  if (leaked.length > 0) {
    const splits = ['train', 'valid', 'test'].filter((name) =>
      leaked.some((group) => group.some(({ split }) => (split ?? 'train') === name)),
    );
    const held = leaked.flatMap((group) =>
      group.filter(({ split }) => split === 'valid' || split === 'test'),
    );
    warnings.push(
      `${leaked.length} images are in ${splits.length === 2 ? 'both ' : ''}${splits.join(' and ')}, which flatters every metric: ${some(held.map((item) => item.file))}`,
    );
  }
  const torn = duplicates.filter((group) => new Set(group.map((item) => item.label)).size > 1);
  if (torn.length > 0) {
    warnings.push(
      `${torn.length} images are there under different labels: ${some(torn.flatMap((group) => group.map((item) => item.file)))}`,
    );
  }
  return warnings;
}

function sizesOf(items: readonly ManifestItem[]): [number, number, number][] {
  const sizes = new Map<string, [number, number, number]>();
  for (const { width, height } of items) {
    const key = `${width}x${height}`;
    const size = sizes.get(key) ?? [width, height, 0];
    size[2]++;
    sizes.set(key, size);
  }
  return [...sizes.values()].sort((a, b) => b[2] - a[2]);
}
