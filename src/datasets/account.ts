// Nothing leaves in silence: every file of an archive is an image of the set, a table that was read, or is
// counted under a reason.

import { problem } from '../domain/problem.ts';
import { some } from '../domain/some.ts';
import { isArchiveName, otherKindReason } from './file-kinds.ts';
import type { Findings } from './findings.ts';
import type { Labelling, NamedFile } from './labelling/files.ts';
import { hasLostLetters } from './text.ts';

/**
 * Gives a reason to each file that the labelling left without a word.
 * @throws Problem `encoding_unknown` where a label holds letters that were lost before it came here
 */
export function accountFor(
  files: readonly NamedFile[],
  labelling: Labelling,
  findings: Findings,
): void {
  const broken = labelling.files.find(({ label }) => hasLostLetters(label));
  if (broken) {
    throw problem(
      'encoding_unknown',
      `The label ${JSON.stringify(broken.label)} of ${JSON.stringify(broken.path)} holds U+FFFD: letters of it were lost before it came here`,
      { hint: 'Write the labels again from the original, as UTF-8.' },
    );
  }
  const told = new Set(findings.skippedFiles());
  for (const { path } of labelling.files) told.add(path);
  for (const path of labelling.tables ?? []) told.add(path);
  for (const file of files) {
    if (told.has(file.path)) continue;
    if (file.isImage) findings.skip(file.path, 'an image that no label is found for');
    else if (file.unreadable) findings.skip(file.path, file.unreadable.message);
    else if (file.text !== undefined)
      findings.skip(file.path, 'a table that no label is read from');
    else findings.skip(file.path, otherKindReason(file.path), { minor: true });
  }
}

/**
 * Says what an archive without any image holds instead.
 * @throws Problem `dataset_empty`
 */
export function refuseImageless(files: readonly NamedFile[], findings: Findings): void {
  if (files.some(({ isImage }) => isImage)) return;
  accountFor(files, { files: [], skipped: [], warnings: [] }, findings);
  const inside = files.filter(({ path }) => isArchiveName(path)).map(({ path }) => path);
  if (inside.length === 0) {
    throw problem(
      'dataset_empty',
      `The archive holds no image; it holds ${findings.reasonsInWords()}`,
    );
  }
  throw problem('dataset_empty', `The archive holds no image, only archives: ${some(inside)}`, {
    hint: 'Send one of them as it is, or unpack them and send an archive of the images.',
  });
}

const foldersNamedMax = 20;

/** Warns of the uppermost folders in which no file is an image that can be used. */
export function warnOfEmptyFolders(
  {
    folders,
    files,
    undecodable,
  }: { folders: readonly string[]; files: readonly NamedFile[]; undecodable: ReadonlySet<string> },
  findings: Findings,
): void {
  const all = new Set<string>();
  const named = new Set<string>();
  const filled = new Set<string>();
  for (const path of folders) addAll(all, foldersOf(`${path}/`));
  for (const { path, isImage } of files) {
    addAll(all, foldersOf(path));
    if (isImage) addAll(named, foldersOf(path));
    if (isImage && !undecodable.has(path)) addAll(filled, foldersOf(path));
  }
  const empty = [...all].filter((folder) => !filled.has(folder) && filled.has(parentOf(folder)));
  empty.sort();
  for (const folder of empty.slice(0, foldersNamedMax)) {
    findings.warn(`${folder}/ holds no image${named.has(folder) ? ' that can be used' : ''}`);
  }
  const more = empty.length - foldersNamedMax;
  if (more > 0) findings.warn(`${more} more folders hold no image that can be used`);
}

/** '' and each folder above a file. */
function foldersOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1);
  return ['', ...parts.map((_, depth) => parts.slice(0, depth + 1).join('/'))];
}

function parentOf(folder: string): string {
  return folder.split('/').slice(0, -1).join('/');
}

function addAll(set: Set<string>, values: readonly string[]): void {
  for (const value of values) set.add(value);
}
