// train/, valid/ and test/ in all their spellings, wherever they lie.

import { some } from '../../domain/some.ts';
import { haveClassFolders, labelByClassFolders, type Placed } from './class-folders.ts';
import { commonFolder, type Labelling, type NamedFile } from './files.ts';
import { isWrapperName, type Split, splitOf, splitWord } from './split-words.ts';

/** The folder that holds the splits, [] for the top, and which of its folders is which split. */
export type SplitRoot = { root: string[]; folders: Map<string, Split> };

/** How many folders may wrap train/ and valid/. */
const wrappersMax = 3;

/**
 * The uppermost folder with two or more splits in it, train among them; null where there is none, or where
 * several folders side by side are such (`cat/train`, `cat/val`, `dog/train` …).
 */
export function findSplits(images: readonly NamedFile[]): SplitRoot | null {
  const roots = new Map<string, Set<string>>();
  for (const { path } of images) {
    const folders = path.split('/').slice(0, -1);
    for (const [depth, folder] of folders.slice(0, wrappersMax + 1).entries()) {
      if (splitWord(folder) === null) continue;
      const root = folders.slice(0, depth).join('/');
      roots.set(root, (roots.get(root) ?? new Set()).add(folder));
    }
  }
  const found = [...roots].flatMap(([path, names]) => {
    const folders = splitsAmong([...names]);
    return folders ? [{ root: path === '' ? [] : path.split('/'), folders }] : [];
  });
  const depth = Math.min(...found.map(({ root }) => root.length));
  const uppermost = found.filter(({ root }) => root.length === depth);
  return uppermost.length === 1 ? (uppermost[0] ?? null) : null;
}

/** The split that a path lies in. */
function splitOfPath(path: string, { root, folders }: SplitRoot): Split | null {
  const parts = path.split('/').slice(0, -1);
  const inside = root.every((folder, depth) => parts[depth] === folder);
  return (inside ? folders.get(parts[root.length] ?? '') : undefined) ?? null;
}

/** Sibling folders whose names differ by nothing but the split's word: `train`, `test`; `cxr_train`, `cxr_val`. */
function splitsAmong(names: readonly string[]): Map<string, Split> | null {
  const byRest = new Map<string, Map<string, Split>>();
  for (const name of names) {
    const word = splitWord(name);
    if (word) byRest.set(word.of, (byRest.get(word.of) ?? new Map()).set(name, word.split));
  }
  const whole = (folders: Map<string, Split> | undefined) => {
    const splits = new Set(folders?.values());
    return splits.size >= 2 && splits.has('train');
  };
  const plain = byRest.get('');
  if (plain && whole(plain)) return plain;
  const others = [...byRest.values()].filter(whole);
  return others.length === 1 ? (others[0] ?? null) : null;
}

/** Labels by the class folders in train/, valid/ and test/; null where train/ has none. */
export function labelBySplits(images: readonly NamedFile[], splits: SplitRoot): Labelling | null {
  const placed: Record<Split, Placed[]> = { train: [], valid: [], test: [] };
  const outside: NamedFile[] = [];
  for (const file of images) {
    const split = splitOfPath(file.path, splits);
    const folders = file.path.split('/').slice(splits.root.length + 1, -1);
    if (split) placed[split].push({ file, folders });
    else outside.push(file);
  }
  if (!haveClassFolders(placed.train)) return null;
  const train = labelByClassFolders(unwrapped(placed.train, new Set()));
  const classes = new Set(train.files.map(({ label }) => label));
  const labelling: Labelling = { ...train, files: inSplit(train, 'train') };
  for (const [folder, split] of splits.folders) {
    if (split === 'train') continue;
    const inside = placed[split].filter(
      ({ file }) => file.path.split('/')[splits.root.length] === folder,
    );
    addOther(labelling, unwrapped(inside, classes), { split, classes });
  }
  const names = [...splits.folders.keys()].map((name) => `${name}/`);
  if (outside.length > 0) {
    const reason = `outside of ${names.join(', ')}`;
    for (const { path } of outside) labelling.skipped.push({ file: path, reason });
    labelling.warnings.push(
      `${outside.length} images outside of ${names.join(', ')} are not used: ${some(outside.map(({ path }) => path))}`,
    );
  }
  return labelling;
}

/** Where labels came without a split, the folders train/, valid/ and test/ may say one. */
export function takeFolders(labelling: Labelling, images: readonly NamedFile[]): Labelling {
  if (labelling.files.some(({ split }) => split !== null)) return labelling;
  const splits = findSplits(images);
  const placed = labelling.files.map((file) => ({
    ...file,
    split: splits ? splitOfPath(file.path, splits) : splitAlone(file.path),
  }));
  const found = new Set(placed.map(({ split }) => split));
  // a lone test/ counts beside others, a lone train/ or valid/ may be a class
  const counts = splits !== null || (found.size > 1 && (found.has('test') || found.size > 2));
  if (!counts) return labelling;
  if (placed.every(({ split }) => split === null || split === 'train')) return labelling;
  const names = splits
    ? [...splits.folders.keys()].map((name) => `${name}/`).join(', ')
    : 'that are named as one';
  labelling.warnings.push(`the split is that of the folders ${names}`);
  return { ...labelling, files: placed };
}

/** The split that the uppermost folder with such a name says. */
function splitAlone(path: string): Split | null {
  const folders = path.split('/').slice(0, -1);
  return (
    folders
      .slice(0, wrappersMax + 1)
      .map(splitOf)
      .find((split) => split !== null) ?? null
  );
}

function inSplit({ files }: Labelling, split: Split): Labelling['files'] {
  return files.map((file) => ({ ...file, split: file.split ?? split }));
}

/** What is in valid/ or test/: the first folder is the class, and an image in none has no label. */
function addOther(
  labelling: Labelling,
  placed: readonly Placed[],
  { split, classes }: { split: 'valid' | 'test'; classes: ReadonlySet<string> },
): void {
  // `photo` may say nothing, but not where train/ has it as a class
  const saysNothing = (folder: string) => isWrapperName(folder) && !classes.has(folder);
  const flat = placed.filter(({ folders }) => folders.every(saysNothing));
  for (const { file, folders } of placed) {
    const [label] = folders;
    if (label === undefined || folders.every(saysNothing)) {
      const reason =
        split === 'test' ? 'in the test folder, without a label' : 'not in a class folder';
      labelling.skipped.push({ file: file.path, reason });
    } else labelling.files.push({ index: file.index, path: file.path, label, split });
  }
  if (flat.length > 0) {
    const first = JSON.stringify(flat[0]?.file.path);
    labelling.warnings.push(
      `${flat.length} images for ${split === 'test' ? 'the test' : 'validation'} lie in no class folder and have no label: they are left out, and never trained on (${first})`,
    );
  }
}

/**
 * Without the folders that only wrap the classes: those that all share, but for the last where nothing but it
 * can be the class; in valid/ and test/ those that are no class of train/ (`seg_test/seg_test/sea`).
 */
function unwrapped(placed: readonly Placed[], classes: ReadonlySet<string>): Placed[] {
  const inFolders = placed.filter(({ folders }) => folders.length > 0);
  const shared = commonFolder(
    inFolders.map(({ folders }) => ({ path: [...folders, ''].join('/') })),
  );
  const isClass = (folder: string) => classes.has(folder) || !isWrapperName(folder);
  const first = shared.findIndex(isClass);
  const oneFolder = inFolders.every(({ folders }) => folders.length === shared.length);
  const known = classes.size > 0 && first >= 0;
  const wrappers = known ? first : oneFolder ? shared.findLastIndex(isClass) : shared.length;
  return placed.map(({ file, folders }) => ({
    file,
    folders: folders.slice(wrappers < 0 ? shared.length : wrappers),
  }));
}
