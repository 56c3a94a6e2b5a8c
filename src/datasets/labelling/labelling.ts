// Labels are found from paths alone, before any image is read. Folder layouts follow fastai's
// from_folder: an image's label is the name of the folder that it lies in.

import { problem } from '../../domain/problem.ts';
import { labelByCsv } from './csv.ts';
import { commonFolder, type Labelling, type LabelOptions, type NamedFile, some } from './files.ts';
import { labelByPattern } from './pattern.ts';

const layouts =
  'train/ and valid/ with a folder per class, or labels.csv (name,label), or a folder per class; file names that hold the label need layout=name_re and a pattern';
const noClassFolder = 'not in a class folder';
const splitNames = new Map<string, 'train' | 'valid'>([
  ['train', 'train'],
  ['valid', 'valid'],
  ['val', 'valid'],
  ['validation', 'valid'],
]);
/** How many folders may wrap train/ and valid/. */
const wrappersMax = 3;

/**
 * The label and the split of each file that has one.
 * @throws Problem `dataset_empty`, `dataset_layout`, `labels_invalid`
 */
export function labelFiles(
  files: readonly NamedFile[],
  { layout, pattern }: LabelOptions,
): Labelling {
  const images = files.filter((file) => file.isImage);
  const csv = layout === 'auto' || layout === 'csv' ? findCsv(files, images) : null;
  if (images.length === 0 && csv === null) {
    throw problem('dataset_empty', `None of the ${files.length} files is named as an image`);
  }
  if (layout === 'name_re') return labelByPattern(images, pattern);
  if (layout === 'csv') {
    if (csv) return labelByCsv(csv, files);
    throw problem('dataset_layout', 'Found no labels.csv beside or above the images');
  }
  const root = splitRoot(images);
  if (root !== null) return labelBySplit(images, root);
  return csv ? labelByCsv(csv, files) : labelByFolder(images);
}

/** The folder, [] for the top, that holds both train/ and valid/; null when there is none. */
function splitRoot(images: readonly NamedFile[]): string[] | null {
  const roots = new Map<string, Set<string>>();
  for (const { path } of images) {
    const folders = path.split('/').slice(0, -1);
    for (const [depth, folder] of folders.slice(0, wrappersMax + 1).entries()) {
      const split = splitNames.get(folder.toLowerCase());
      if (!split) continue;
      const root = folders.slice(0, depth).join('/');
      const splits = roots.get(root) ?? new Set();
      roots.set(root, splits.add(split));
    }
  }
  const whole = [...roots].filter(([, splits]) => splits.size === 2).map(([root]) => parts(root));
  return whole.sort((a, b) => a.length - b.length)[0] ?? null;
}

function labelBySplit(images: readonly NamedFile[], root: string[]): Labelling {
  const labelling: Labelling = { files: [], skipped: [], warnings: [] };
  const outside: string[] = [];
  for (const { index, path } of images) {
    const folders = path.split('/').slice(0, -1);
    const inside = root.every((folder, depth) => folders[depth] === folder);
    const split = inside ? splitNames.get((folders[root.length] ?? '').toLowerCase()) : undefined;
    const label = folders.at(-1);
    if (!split || label === undefined) outside.push(path);
    else if (folders.length < root.length + 2) {
      labelling.skipped.push({ file: path, reason: noClassFolder });
    } else labelling.files.push({ index, path, label, split });
  }
  if (outside.length > 0) {
    labelling.warnings.push(
      `${outside.length} images outside of train/ and valid/ are not used: ${some(outside)}`,
    );
  }
  return labelling;
}

function labelByFolder(images: readonly NamedFile[]): Labelling {
  const depth = commonFolder(images).length;
  const labelling: Labelling = { files: [], skipped: [], warnings: [] };
  for (const { index, path } of images) {
    const folders = path.split('/').slice(0, -1);
    const label = folders.at(-1);
    if (label === undefined || folders.length === depth) {
      labelling.skipped.push({ file: path, reason: noClassFolder });
    } else labelling.files.push({ index, path, label, split: null });
  }
  if (labelling.files.length === 0) {
    const folder = commonFolder(images).join('/');
    throw problem(
      'dataset_layout',
      `All images lie in one folder (${JSON.stringify(folder)}); expected ${layouts}`,
    );
  }
  return labelling;
}

/** The labels.csv that lies beside or above all images; the uppermost of several. */
function findCsv(files: readonly NamedFile[], images: readonly NamedFile[]): NamedFile | null {
  const above = commonFolder(images);
  const beside = (file: NamedFile) => {
    const folders = file.path.split('/').slice(0, -1);
    return images.length === 0 || folders.every((folder, depth) => above[depth] === folder);
  };
  const found = files.filter((file) => file.text !== undefined && beside(file));
  return found.sort((a, b) => a.path.length - b.path.length)[0] ?? null;
}

function parts(path: string): string[] {
  return path === '' ? [] : path.split('/');
}
