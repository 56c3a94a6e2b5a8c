// What looks wrong about labels that can be read all the same: said, and left to the uploader.

import { some } from '../../domain/some.ts';
import type { Labelling } from './files.ts';

const shownMax = 5;

/** A sentence for each doubt that the labels of an upload give. */
export function doubtsOf({ files }: Pick<Labelling, 'files'>): string[] {
  const counts = new Map<string, number>();
  for (const { label } of files) counts.set(label, (counts.get(label) ?? 0) + 1);
  const labels = [...counts.keys()];
  return [
    lookalikes(labels),
    missingValues(counts),
    severalPerImage(labels),
    measurements(labels, files.length),
    lonely(counts, files.length),
  ].filter((doubt) => doubt !== null);
}

/** Labels that a person would not tell apart: they differ by case, blanks, or the way a letter is written. */
function lookalikes(labels: readonly string[]): string | null {
  const groups = new Map<string, string[]>();
  for (const label of labels) {
    const seen = label
      .normalize('NFKC')
      .toLowerCase()
      .replace(/[\s_]+/gu, ' ')
      .trim();
    groups.set(seen, [...(groups.get(seen) ?? []), label]);
  }
  const alike = [...groups.values()].filter((group) => group.length > 1);
  if (alike.length === 0) return null;
  const shown = alike
    .slice(0, shownMax)
    .map((group) => group.map((label) => JSON.stringify(label)).join(' and '));
  return `labels that differ by case or blanks only are different classes: ${shown.join('; ')}${alike.length > shownMax ? '; ...' : ''}`;
}

/** `clear primary`, `clear road`, `cloudy`: words, or parts between `,`, `;` and `|`, that recur and stand alone. */
function severalPerImage(labels: readonly string[]): string | null {
  for (const [separator, name] of [
    [/\s*[|;,]\s*/, 'separators'],
    [/\s+/, 'blanks'],
  ] as const) {
    const parts = labels.map((label) =>
      label
        .replace(/^[[({]|[\])}]$/g, '')
        .split(separator)
        .filter((part) => part !== ''),
    );
    const many = parts.filter((words) => words.length > 1);
    if (many.length < 2) continue;
    const uses = new Map<string, number>();
    for (const words of parts)
      for (const word of new Set(words)) uses.set(word, (uses.get(word) ?? 0) + 1);
    const used = many.flat();
    const recurring = used.filter((word) => (uses.get(word) ?? 0) > 1).length / used.length;
    const alone = parts.some(
      ([word, more]) => word !== undefined && more === undefined && (uses.get(word) ?? 0) > 1,
    );
    if (recurring < 0.5 || !(alone || recurring > 0.9)) continue;
    return `labels look like several per image, with ${name} between them (${some(many.map((words) => words.join(' ')))}): onecycle trains one label per image, and each combination is a class of its own`;
  }
  return null;
}

/** What a spreadsheet or pandas writes where there is no value. */
function missingValues(counts: ReadonlyMap<string, number>): string | null {
  const found = [...counts].filter(([label]) =>
    /^(nan|n\/a|na|null|none|nil|<na>|\?|-|#(n\/a|name\?|ref!|value!|div\/0!|num!|null!))$/i.test(
      label,
    ),
  );
  if (found.length === 0) return null;
  const shown = found.map(([label, count]) => `${JSON.stringify(label)} on ${count}`).join(', ');
  return `labels that look like missing values are classes here (${shown} images): leave such lines out if they are not meant`;
}

function measurements(labels: readonly string[], images: number): string | null {
  const numbers = labels.filter((label) => /^[-+]?\d+([.,]\d+)?([eE][-+]?\d+)?$/.test(label));
  if (numbers.length < labels.length || labels.length < 6) return null;
  const fractions = numbers.some((label) => !/^[-+]?\d+([.,]0+)?$/.test(label));
  if (!fractions && labels.length < images / 3) return null;
  return `labels look like measurements (${labels.length} different numbers on ${images} images, such as ${some(numbers)}): onecycle tells classes apart, it does not estimate numbers, and each number is a class of its own`;
}

function lonely(counts: ReadonlyMap<string, number>, images: number): string | null {
  const alone = [...counts].filter(([, count]) => count === 1).map(([label]) => label);
  if (images < 10 || alone.length < counts.size / 2) return null;
  return `${alone.length} of ${counts.size} classes have one image only, from which nothing can be both learned and validated: ${some(alone)}`;
}
