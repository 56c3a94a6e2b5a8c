// An archive becomes a data set in two readings: the first sees names only, so that what is wrong with
// them is said at once; the second decodes what has a label and appends its bytes to images.bin.

import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveFormat } from '../domain/archive-format.ts';
import {
  type DatasetOptions,
  type DatasetReport,
  type Manifest,
  type ManifestItem,
  nothingSaid,
} from '../domain/dataset.ts';
import { Problem, problem } from '../domain/problem.ts';
import { isImageName } from '../vision/image-format.ts';
import { archiveEntries } from './archive/archive.ts';
import { type ArchiveLimits, archiveLimits } from './archive/limits.ts';
import { Findings } from './findings.ts';
import { isTableName } from './labelling/csv.ts';
import { type LabelledFile, type Labelling, type NamedFile, some } from './labelling/files.ts';
import { labelFiles } from './labelling/labelling.ts';
import { packImages } from './prepare-images.ts';

const classesMax = 10_000;
const csvBytesMax = 64 * 2 ** 20;
const csvFilesMax = 100;

export type PrepareOptions = {
  archivePath: string;
  format: ArchiveFormat;
  labels?: DatasetOptions;
  /** images.bin is written here. */
  workDir: string;
  signal?: AbortSignal;
  limits?: ArchiveLimits;
};
export type PreparedDataset = { manifest: Manifest; report: DatasetReport; imagesPath: string };

/** The Problem of an archive that makes no data set, with what was found until then. */
export class RefusedDataset extends Problem {
  readonly report: DatasetReport;

  constructor(reason: Problem, report: DatasetReport) {
    super(reason.code, reason.message, { hint: reason.hint, cause: reason });
    this.report = report;
  }
}

/**
 * Makes a data set of an archive.
 * @throws RefusedDataset with code `dataset_*`, `archive_*` or `labels_invalid`
 */
export async function prepareDataset(options: PrepareOptions): Promise<PreparedDataset> {
  const findings = new Findings();
  const items: ManifestItem[] = [];
  try {
    const files = await namesOf(options, findings);
    const wanted = choose(labelFiles(files, options.labels ?? nothingSaid), findings);
    await mkdir(options.workDir, { recursive: true });
    const imagesPath = join(options.workDir, 'images.bin');
    await packImages(wanted, { ...options, imagesPath, findings, items });
    items.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : 0));
    const classes = classesOf(wanted);
    checkClasses(classes, wanted, items, findings);
    const manifest = {
      classes,
      items,
      digest: digestOf(items),
      created_at: new Date().toISOString(),
    };
    return { manifest, report: findings.report(items, null), imagesPath };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    throw new RefusedDataset(error, findings.report(items, error));
  }
}

/** The files that may matter, with the text of each labels.csv. */
async function namesOf(options: PrepareOptions, findings: Findings): Promise<NamedFile[]> {
  const { archivePath, format, limits = archiveLimits, signal } = options;
  const seen = new Set<string>();
  const folded = new Set<string>();
  const files: NamedFile[] = [];
  let collisions = 0;
  let csvFiles = 0;
  for await (const entry of archiveEntries(archivePath, format, limits)) {
    signal?.throwIfAborted();
    const { index, path } = entry;
    if (isSystemFile(path)) continue;
    if (entry.kind === 'other') findings.skip(path, 'a link or device, which is not followed');
    else if (seen.has(path))
      findings.skip(path, 'the archive holds this name twice; the first is kept');
    else if (/(^|\/)\./.test(path)) findings.skip(path, 'hidden: its name begins with a dot');
    else {
      const lower = path.toLowerCase();
      if (folded.has(lower)) collisions++;
      seen.add(path);
      folded.add(lower);
      const isCsv = isTableName(path) && csvFiles < csvFilesMax;
      if (!isCsv) files.push({ index, path, isImage: isImageName(path) });
      else if (entry.bytes > csvBytesMax) {
        throw problem('labels_invalid', `${JSON.stringify(path)} is over ${csvBytesMax} bytes`);
      } else {
        csvFiles++;
        files.push({ index, path, isImage: false, text: (await entry.read()).toString('utf8') });
      }
    }
  }
  if (collisions > 0) findings.warn(`${collisions} names differ from another only by case`);
  return files;
}

/** What the tools of macOS and Windows leave in archives. */
function isSystemFile(path: string): boolean {
  return /(^|\/)(__MACOSX\/|\._|\.DS_Store$|Thumbs\.db$|desktop\.ini$)/i.test(path);
}

/** Drops validation images whose label no training image has, as fastai does. */
function choose(labelling: Labelling, findings: Findings): LabelledFile[] {
  for (const { file, reason } of labelling.skipped) findings.skip(file, reason);
  for (const warning of labelling.warnings) findings.warn(warning);
  const known = new Set(labelling.files.filter(isTraining).map((file) => file.label));
  const unseen = labelling.files.filter((file) => !known.has(file.label));
  if (unseen.length > 0) {
    findings.warn(
      `${unseen.length} validation images are dropped, no training image has their label: ${some([...new Set(unseen.map((file) => file.label))])}`,
    );
  }
  return labelling.files.filter((file) => known.has(file.label));
}

function isTraining(file: { split: ManifestItem['split'] }): boolean {
  return file.split !== 'valid';
}

/** Sorted as Python sorts strings: by code point, upper case before lower. */
function classesOf(files: readonly LabelledFile[]): string[] {
  const labels = new Set(files.filter(isTraining).map((file) => file.label));
  return [...labels].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function checkClasses(
  classes: readonly string[],
  wanted: readonly LabelledFile[],
  items: readonly ManifestItem[],
  findings: Findings,
): void {
  const lost = (files: readonly LabelledFile[]) =>
    findings.skippedAmong(new Set(files.map((file) => file.path)));
  if (items.length === 0) {
    throw problem(
      'dataset_empty',
      `None of ${wanted.length} images could be used. ${lost(wanted)}`,
    );
  }
  if (classes.length > classesMax) {
    throw problem('dataset_limit', `${classes.length} classes are over the limit of ${classesMax}`);
  }
  const filled = new Set(items.filter(isTraining).map((item) => item.label));
  const empty = classes.filter((label) => !filled.has(label));
  if (empty.length > 0) {
    const files = wanted.filter((file) => isTraining(file) && empty.includes(file.label));
    throw problem(
      'dataset_class_empty',
      `No usable training image of ${some(empty)}. ${lost(files)}`,
    );
  }
  if (classes.length < 2) {
    throw problem(
      'dataset_one_class',
      `All ${items.length} images have the label ${JSON.stringify(classes[0])}; training needs two classes`,
    );
  }
}

function digestOf(items: readonly ManifestItem[]): string {
  const hash = createHash('sha256');
  for (const { file, label, split, sha256 } of items) {
    hash.update(`${JSON.stringify([file, label, split, sha256])}\n`);
  }
  return hash.digest('hex');
}
