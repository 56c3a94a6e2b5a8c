// What is known of a data set before a job touches an image: from its report, or from its items.

import { byCodePoint } from './code-point-order.ts';
import type { ExifOrientation } from './data-options.ts';
import { type DatasetReport, type ManifestItem, sizeOf } from './dataset.ts';
import type { Spec } from './spec.ts';

/** Distinct sizes as [width, height, images]. */
export type Sizes = readonly (readonly [number, number, number])[];
type SplitFacts = {
  /** How many images there are, or the most that there can be. */
  images: number;
  /** null where they are not known. */
  sizes: Sizes | null;
};
/** A data set as a job splits it. */
export type DatasetFacts = {
  /** What the model tells apart. */
  classes: readonly string[];
  train: SplitFacts;
  /** `classes`: those with an image, null where chance decides. */
  valid: SplitFacts & { classes: readonly string[] | null };
  test: SplitFacts;
};

/** fastai's share of a data set that comes without a validation set. */
const shareOfUnsplit = 0.2;

/** The share of images that validates by chance; null where the upload's own split holds. */
export function randomShare(validPct: number | null, validImages: number): number | null {
  return validPct ?? (validImages > 0 ? null : shareOfUnsplit);
}

/**
 * What the report says. Where chance splits, as many images train as can: each class keeps one, and how many
 * that moves is not known before.
 */
export function factsOfReport(
  { counts, sizes, sizes_total }: DatasetReport,
  validPct: number | null,
): DatasetFacts {
  const total = (perClass: Record<string, number> = {}) =>
    Object.values(perClass).reduce((sum, n) => sum + n, 0);
  const [train, valid, test] = [counts.train, counts.valid, counts.test].map(total);
  const own = { train: (train ?? 0) + total(counts.unsplit), valid: valid ?? 0, test: test ?? 0 };
  const [only] = sizes;
  const oneSize = sizes_total === 1 && only ? ([[only[0], only[1], 1]] as const) : null;
  const split = (images: number): SplitFacts => ({ images, sizes: images > 0 ? oneSize : [] });
  const named = (...names: (keyof typeof counts)[]) =>
    [...new Set(names.flatMap((name) => Object.keys(counts[name] ?? {})))].sort(byCodePoint);
  const share = randomShare(validPct, own.valid);
  if (share === null) {
    return {
      classes: named('train', 'unsplit'),
      train: split(own.train),
      valid: { ...split(own.valid), classes: named('valid') },
      test: split(own.test),
    };
  }
  const pool = own.train + own.valid;
  const held = Math.trunc(share * pool);
  const classes = named('train', 'unsplit', 'valid');
  const perClass = classes.map((label) =>
    (['train', 'unsplit', 'valid'] as const).reduce(
      (n, name) => n + (counts[name]?.[label] ?? 0),
      0,
    ),
  );
  // a class can only be lost to validation where all its images fit in there
  const movable = Math.min(held, perClass.filter((n) => n <= held).length);
  return {
    classes,
    train: split(pool - held + movable),
    valid: { ...split(held), classes: null },
    test: split(own.test),
  };
}

/** The same facts with the sizes of each split; where chance splits, a split may hold any of them. */
export function withSizes(
  facts: DatasetFacts,
  items: readonly ManifestItem[],
  { valid_pct, exif_orientation }: Pick<Spec['data'], 'valid_pct' | 'exif_orientation'>,
): DatasetFacts {
  const [train, valid, test] = ['train', 'valid', 'test'].map((name) =>
    items.filter(({ split }) => (split ?? 'train') === name),
  ) as [ManifestItem[], ManifestItem[], ManifestItem[]];
  const pooled = randomShare(valid_pct, valid.length) !== null;
  const sizesOf = (own: readonly ManifestItem[]) => distinctSizes(own, exif_orientation);
  const either = sizesOf([...train, ...valid]);
  return {
    ...facts,
    train: { ...facts.train, sizes: pooled ? either : sizesOf(train) },
    valid: { ...facts.valid, sizes: pooled ? either : sizesOf(valid) },
    test: { ...facts.test, sizes: sizesOf(test) },
  };
}

/** Distinct sizes of images, most frequent first. */
function distinctSizes(items: readonly ManifestItem[], exif: ExifOrientation): Sizes {
  const sizes = new Map<string, [number, number, number]>();
  for (const item of items) {
    const [width, height] = sizeOf(item, exif);
    const key = `${width}x${height}`;
    const size = sizes.get(key) ?? [width, height, 0];
    size[2]++;
    sizes.set(key, size);
  }
  return [...sizes.values()].sort((a, b) => b[2] - a[2]);
}
