// Which folder of a path is the label. fastai takes the folder that an image lies in, torchvision the first
// one; where the two differ the upload is read only if nothing but one of them can be meant.

import { problem } from '../../domain/problem.ts';
import { some } from '../../domain/some.ts';
import type { Labelling, NamedFile } from './files.ts';
import { isEmptyName, isWrapperName, type Split, splitOf, splitWord } from './split-words.ts';

/** A file with the folders that it lies in below the folder of the classes. */
export type Placed = { file: NamedFile; folders: readonly string[] };

type Group = { name: string; direct: Placed[]; below: Placed[] };

/**
 * Labels by the first folder of each path; sub folders of a class belong to it, those named as a split
 * (`cat/train`, `cat/val`) say that too.
 * @throws Problem `dataset_layout` where the label might be the first folder or the last
 */
export function labelByClassFolders(placed: readonly Placed[]): Labelling {
  const labelling: Labelling = { files: [], skipped: [], warnings: [] };
  for (const { file, folders } of placed) {
    if (folders.length === 0) {
      labelling.skipped.push({ file: file.path, reason: 'not in a class folder' });
    }
  }
  const groups = groupsOf(placed);
  refuseSplitsAlone(groups);
  refuseSplitsInNames(groups);
  refuseImagesAsClass(groups);
  const classes = leaveOutSplits(groups, labelling);
  const repeats = classes.filter((group) => repeatsOthers(group, classes));
  const own = classes.filter((group) => !repeats.includes(group));
  if (own.length >= 2) takeRepeats(repeats, labelling);
  const kept = own.length >= 2 ? own : classes;
  refuseTwoReadings(kept);
  for (const { name, direct, below } of kept) {
    for (const { file } of direct)
      labelling.files.push({ ...place(file), label: name, split: null });
    for (const { file, folders } of below) {
      labelling.files.push({ ...place(file), label: name, split: splitOf(folders[1]) });
    }
  }
  const inside = kept.flatMap(({ below }) => below);
  const worth = inside.filter(({ folders }) => !folders.slice(1).every(isWrapperName));
  if (worth.length > 0) {
    const shown = some([...new Set(worth.map(({ folders }) => `${folders.join('/')}/`))]);
    labelling.warnings.push(
      `${worth.length} images in sub folders belong to the class folder above them: ${shown}`,
    );
  }
  return labelling;
}

/** Whether a folder of classes can be read here at all: images in folders that say something. */
export function haveClassFolders(placed: readonly Placed[]): boolean {
  return placed.some(({ folders }) => folders.some((folder) => !isWrapperName(folder)));
}

function place({ index, path }: NamedFile) {
  return { index, path };
}

function groupsOf(placed: readonly Placed[]): Group[] {
  const groups = new Map<string, Group>();
  for (const item of placed) {
    const [name] = item.folders;
    if (name === undefined) continue;
    const group = groups.get(name) ?? { name, direct: [], below: [] };
    groups.set(name, group);
    (item.folders.length === 1 ? group.direct : group.below).push(item);
  }
  return [...groups.values()];
}

/** Folders of images that are named as a split are no classes: `test/` beside `cat/` and `dog/` has no labels. */
function leaveOutSplits(groups: readonly Group[], labelling: Labelling): Group[] {
  const named = groups.filter(({ name }) => splitOf(name) !== null);
  const others = groups.length - named.length;
  const flat = named.filter(
    ({ name, direct }) =>
      direct.length > 0 && (named.length > 1 || (others >= 2 && splitOf(name) !== 'train')),
  );
  for (const { name, direct, below } of flat) {
    const reason = `in ${JSON.stringify(`${name}/`)}, which is named as a split and has no class folders`;
    for (const { file } of [...direct, ...below])
      labelling.skipped.push({ file: file.path, reason });
    labelling.warnings.push(
      `${direct.length + below.length} images under ${JSON.stringify(`${name}/`)} have no label: they are left out, and never trained on`,
    );
  }
  return groups.filter((group) => !flat.includes(group));
}

/** Whether all that a folder holds are folders named as the classes beside it, as in `sample/cat`. */
function repeatsOthers(group: Group, groups: readonly Group[]): boolean {
  const others = new Set(groups.filter((other) => other !== group).map(({ name }) => name));
  return (
    group.direct.length === 0 && group.below.every(({ folders }) => others.has(folders[1] ?? ''))
  );
}

/** `test/cat` beside `cat` is the test's; `sample/cat` is left out. */
function takeRepeats(repeats: readonly Group[], labelling: Labelling): void {
  for (const { name, below } of repeats) {
    const split = splitOf(name);
    if (split !== null) {
      for (const { file, folders } of below) {
        labelling.files.push({ ...place(file), label: folders[1] ?? '', split });
      }
      continue;
    }
    const shown = JSON.stringify(`${name}/`);
    for (const { file } of below) {
      labelling.skipped.push({
        file: file.path,
        reason: `in ${shown}, which repeats the classes beside it`,
      });
    }
    labelling.warnings.push(
      `${below.length} images under ${shown} are left out: it repeats the class folders beside it`,
    );
  }
}

/** `val/` and `test/` alone hold nothing to train on. */
function refuseSplitsAlone(groups: readonly Group[]): void {
  const deep =
    groups.length > 1 &&
    groups.every(({ name, direct }) => splitOf(name) !== null && direct.length === 0);
  if (!deep || groups.some(({ name }) => splitOf(name) === 'train')) return;
  throw problem(
    'dataset_layout',
    `There is no train/ folder beside ${some(groups.map(({ name }) => `${name}/`))}: nothing to train on`,
  );
}

/** `cat_train`, `cat_test`, `dog_train` …: class and split in one name. */
function refuseSplitsInNames(groups: readonly Group[]): void {
  const splits = new Map<string, Set<Split>>();
  for (const { name } of groups) {
    const word = splitWord(name);
    if (word && word.of !== '') {
      splits.set(word.of, (splits.get(word.of) ?? new Set()).add(word.split));
    }
  }
  if (![...splits.values()].some((found) => found.size > 1)) return;
  throw problem(
    'dataset_layout',
    `Folders say class and split in one name: ${some(groups.map(({ name }) => `${name}/`))}`,
    { hint: 'Put them as train/CLASS/ and test/CLASS/, or say the labels in a table.' },
  );
}

/** `images/` beside `masks/`: a folder of images is no class. */
function refuseImagesAsClass(groups: readonly Group[]): void {
  const images = groups.find(({ name }) => /^(jpeg|jpg|png)?[_ ]?(images?|imgs?)$/i.test(name));
  if (!images || groups.length < 2) return;
  throw problem(
    'dataset_layout',
    `${JSON.stringify(`${images.name}/`)} lies beside ${some(groups.filter((group) => group !== images).map(({ name }) => `${name}/`))}: a folder of images is no class`,
    {
      hint: 'Send a folder per class, or a table of labels; masks and annotations are not read. To have them as classes all the same: layout=name_re.',
    },
  );
}

function refuseTwoReadings(groups: readonly Group[]): void {
  const names = new Set(groups.map(({ name }) => name));
  const unclear = groups.find(
    ({ name, below }) =>
      below.some(({ folders }) => folders[1] !== name && names.has(folders[1] ?? '')) ||
      // site/train/cat: the site, or the cat?
      below.some(
        ({ folders }) => splitOf(folders[1]) !== null && !folders.slice(2).every(isEmptyName),
      ),
  );
  if (unclear) throw twoReadings(groups, unclear.below);
  const isDeep = ({ direct, below }: Group) =>
    direct.length === 0 &&
    below.some(({ folders }) => !isEmptyName(folders[1] ?? '') && splitOf(folders[1]) === null);
  const deep = groups.filter(isDeep);
  // `unlabeled/` beside `labeled/cat` is no class that stands for the upper reading
  const shallow = groups.filter((group) => !isDeep(group) && splitOf(group.name) === null).length;
  if (deep.length > 0 && shallow === 0) {
    throw twoReadings(
      groups,
      deep.flatMap(({ below }) => below),
    );
  }
}

function twoReadings(groups: readonly Group[], below: readonly Placed[]) {
  const last = [...new Set(below.map(({ folders }) => folders.at(-1) ?? ''))];
  return problem(
    'dataset_layout',
    `Class folders hold folders: is the label of ${JSON.stringify(below[0]?.file.path)} the upper folder (${some(groups.map(({ name }) => name))}) or the lower (${some(last)})?`,
    {
      hint: 'Upload with one level of class folders, or say it: layout=name_re&pattern=/([^/]%2B)/[^/]%2B/[^/]%2B$ takes the folder above the last, layout=name_re&pattern=/([^/]%2B)/[^/]%2B$ the last (%2B is + in a URL); folders named as a split keep it.',
    },
  );
}

/** The files of a labelling, each once, with the splits brought to what a job expects. */
export function settleSplits(labelling: Labelling): Labelling {
  const found = new Set<Split | null>(labelling.files.map(({ split }) => split));
  const { warnings } = labelling;
  const tests = labelling.files.filter(({ split }) => split === 'test').length;
  if (tests > 0) {
    warnings.push(
      `${tests} images are kept as the split test: never trained on, and measured on where a spec asks for it (evaluation.test)`,
    );
  }
  if (found.has('valid')) {
    // what stands beside a validation set is for training
    return withSplit(labelling, (split) => split ?? 'train');
  }
  if (found.has('train') || found.has('test')) {
    warnings.push(
      'there are no validation images: a job takes a random part of the training images (data.valid_pct, 0.2)',
    );
  }
  return withSplit(labelling, (split) => (split === 'train' ? null : split));
}

function withSplit(labelling: Labelling, of: (split: Split | null) => Split | null): Labelling {
  const files = labelling.files.map((file) => ({ ...file, split: of(file.split) }));
  return { ...labelling, files };
}
