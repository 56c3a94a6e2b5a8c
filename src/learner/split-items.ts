import type { Manifest, ManifestItem } from '../domain/dataset.ts';
import { type DatasetFacts, randomShare, withSizes } from '../domain/dataset-facts.ts';
import { some } from '../domain/some.ts';
import type { Spec } from '../domain/spec.ts';
import { splitByRandPct } from '../training/split.ts';

export type SplitItems = {
  train: ManifestItem[];
  valid: ManifestItem[];
  /** Labelled images that nothing is decided by. */
  test: ManifestItem[];
  classes: string[];
  /** What was moved or left out to get there, a sentence each. */
  warnings: string[];
};

/**
 * The upload's own split, or a random one of all but its test images where valid_pct is given or the upload
 * has no validation set. A random split is fastai's to the index as long as each class keeps a training image;
 * where fastai would drop a class in silence, the first of its images that it drew for validation trains.
 */
export function splitItems(
  { items, classes: known }: Pick<Manifest, 'items' | 'classes'>,
  { validPct, seed }: { validPct: number | null; seed: number },
): SplitItems {
  const of = (name: ManifestItem['split']) => items.filter(({ split }) => split === name);
  const share = randomShare(validPct, of('valid').length);
  const warnings: string[] = [];
  const { train, valid } =
    share === null
      ? { train: items.filter(({ split }) => (split ?? 'train') === 'train'), valid: of('valid') }
      : splitAtRandom(
          items.filter(({ split }) => split !== 'test'),
          { share, seed },
          warnings,
        );
  const trained = new Set(train.map(({ label }) => label));
  const classes = known.filter((label) => trained.has(label));
  const knownOf = (name: string, own: readonly ManifestItem[]) => {
    const unknown = own.filter(({ label }) => !trained.has(label));
    if (unknown.length > 0) {
      const labels = [...new Set(unknown.map(({ label }) => label))];
      warnings.push(
        `${unknown.length} ${name} images are left out, no training image has their label: ${some(labels)}.`,
      );
    }
    return own.filter(({ label }) => trained.has(label));
  };
  return {
    train,
    valid: knownOf('validation', valid),
    test: knownOf('test', of('test')),
    classes,
    warnings,
  };
}

function splitAtRandom(
  pool: readonly ManifestItem[],
  { share, seed }: { share: number; seed: number },
  warnings: string[],
): { train: ManifestItem[]; valid: ManifestItem[] } {
  const drawn = splitByRandPct(pool.length, share, seed);
  const label = (index: number) => pool[index]?.label ?? '';
  const kept = new Set(drawn.train.map(label));
  const moved = new Map<string, number>();
  for (const index of drawn.valid) {
    if (!kept.has(label(index)) && !moved.has(label(index))) moved.set(label(index), index);
  }
  const pick = (indices: readonly number[]) =>
    indices.map((index) => pool[index]).filter((item): item is ManifestItem => item !== undefined);
  if (moved.size === 0) return { train: pick(drawn.train), valid: pick(drawn.valid) };
  const back = new Set(moved.values());
  warnings.push(
    `The random split drew every image of ${moved.size} of ${kept.size + moved.size} classes for validation; one image of each trains instead, so that the model knows them: ${some([...moved.keys()])}.`,
  );
  return {
    train: pick([...drawn.train, ...back].sort((a, b) => a - b)),
    valid: pick(drawn.valid.filter((index) => !back.has(index))),
  };
}

/** The facts of a split that is made, exact. */
export function factsOfSplit(
  { train, valid, test, classes }: SplitItems,
  items: readonly ManifestItem[],
  data: Pick<Spec['data'], 'valid_pct' | 'exif_orientation'>,
): DatasetFacts {
  const facts = {
    classes,
    train: { images: train.length, sizes: null },
    valid: {
      images: valid.length,
      sizes: null,
      classes: [...new Set(valid.map(({ label }) => label))],
    },
    test: { images: test.length, sizes: null },
  };
  return withSizes(facts, items, data);
}
