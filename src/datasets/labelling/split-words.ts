// The folder names by which people say what is for training, for validation, and for the test.

import type { ManifestItem } from '../../domain/dataset.ts';

export type Split = NonNullable<ManifestItem['split']>;

const splitsByWord = new Map<string, Split>(
  Object.entries({
    train: 'train training trainset trainval trn',
    valid: 'valid validation validate validset val valset dev devset eval evaluation holdout',
    test: 'test testing testset tst unlabeled unlabelled unsup predict prediction predictions pred',
  } satisfies Record<Split, string>).flatMap(([split, words]) =>
    words.split(' ').map((word): [string, Split] => [word, split as Split]),
  ),
);
/** Words that say nothing: a folder of images that is called so is no class either. */
const emptyWords = new Set(
  'set sets data dataset images image imgs img pictures pics photos photo jpg jpeg png jpegs files folder dir split raw original originals seg'.split(
    ' ',
  ),
);

/** A folder's name as a split, and what else it says: `dogs_train` is `train` of `dogs`; null for any other name. */
export function splitWord(folder: string): { split: Split; of: string } | null {
  const words = wordsOf(folder);
  const joined = words.join(' ').replace('hold out', 'holdout').split(' ');
  const found = joined.filter((word) => splitsByWord.has(word));
  const split = splitsByWord.get(found[0] ?? '');
  if (found.length !== 1 || split === undefined) return null;
  const rest = joined.filter((word) => !splitsByWord.has(word) && !emptyWords.has(word));
  return { split, of: rest.join(' ') };
}

/** The split of a folder whose name says nothing else, such as `Train`, `seg_test` or `val_images`. */
export function splitOf(folder: string | undefined): Split | null {
  const word = folder === undefined ? null : splitWord(folder);
  return word?.of === '' ? word.split : null;
}

/** Whether a folder's name tells nothing of what lies in it, such as `images`. */
export function isEmptyName(folder: string): boolean {
  const words = wordsOf(folder);
  return words.length > 0 && words.every((word) => emptyWords.has(word));
}

/** Whether a folder of this name may wrap classes, and is none where anything else can be. */
export function isWrapperName(folder: string): boolean {
  return isEmptyName(folder) || splitOf(folder) !== null;
}

/** `seg_train`, `TrainImages` and `train-2017` in words of letters. */
function wordsOf(folder: string): string[] {
  return folder
    .replace(/(\p{Ll})(\p{Lu})/gu, '$1 $2')
    .toLowerCase()
    .split(/[^\p{L}\p{M}]+/u)
    .filter((word) => word !== '');
}
