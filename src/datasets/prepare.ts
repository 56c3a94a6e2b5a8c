// An archive becomes a data set in two readings: the first sees names only, so that what is wrong with
// them is said at once; the second decodes what has a label and appends its bytes to images.bin.

import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArchiveFormat } from '../domain/archive-format.ts';
import { byCodePoint } from '../domain/code-point-order.ts';
import {
  type DatasetOptions,
  type DatasetReport,
  type Manifest,
  type ManifestItem,
  nothingSaid,
} from '../domain/dataset.ts';
import { Problem, problem } from '../domain/problem.ts';
import { some } from '../domain/some.ts';
import { accountFor, refuseImageless, warnOfEmptyFolders } from './account.ts';
import { type ArchiveLimits, archiveLimits } from './archive/limits.ts';
import { Findings } from './findings.ts';
import { readNames } from './first-reading.ts';
import type { LabelledFile, Labelling, NamedFile } from './labelling/files.ts';
import { labelFiles } from './labelling/labelling.ts';
import { packImages } from './prepare-images.ts';

const classesMax = 10_000;

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
    const { labels = nothingSaid, limits = archiveLimits } = options;
    const { csv, encoding } = labels;
    const namesAreLabels = labels.layout === 'name_re';
    const { files, folders, links } = await readNames(
      { ...options, csv, encoding, namesAreLabels, limits },
      findings,
    );
    refuseImageless(files, findings);
    const wanted = choose(labelFiles(files, labels), files, findings);
    await mkdir(options.workDir, { recursive: true });
    const imagesPath = join(options.workDir, 'images.bin');
    await packImages(wanted, { ...options, links, imagesPath, findings, items });
    const usable = new Set(items.map(({ file }) => file));
    const undecodable = new Set(wanted.map(({ path }) => path).filter((path) => !usable.has(path)));
    warnOfEmptyFolders({ folders, files, undecodable }, findings);
    items.sort((a, b) => byCodePoint(a.file, b.file));
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

/** Drops validation images whose label no training image has, as fastai does. */
function choose(
  labelling: Labelling,
  files: readonly NamedFile[],
  findings: Findings,
): LabelledFile[] {
  for (const { file, reason } of labelling.skipped) findings.skip(file, reason);
  for (const path of labelling.tables ?? []) findings.useTable(path);
  accountFor(files, labelling, findings);
  for (const warning of labelling.warnings) findings.warn(warning);
  const known = new Set(labelling.files.filter(isTraining).map((file) => file.label));
  const unseen = labelling.files.filter((file) => !known.has(file.label));
  for (const { path } of unseen) findings.skip(path, 'no training image has its label');
  if (unseen.length > 0) {
    findings.warn(
      `${unseen.length} images for validation or the test are dropped, no training image has their label: ${some([...new Set(unseen.map((file) => file.label))])}`,
    );
  }
  const kept = labelling.files.filter((file) => known.has(file.label));
  if (
    unseen.some(({ split }) => split === 'valid') &&
    !kept.some(({ split }) => split === 'valid')
  ) {
    findings.warn('no validation image is left: a job takes a random part of the training images');
  }
  return kept;
}

function isTraining(file: { split: ManifestItem['split'] }): boolean {
  return file.split === null || file.split === 'train';
}

/** Sorted by code point: upper case before lower. */
function classesOf(files: readonly LabelledFile[]): string[] {
  const labels = new Set(files.filter(isTraining).map((file) => file.label));
  return [...labels].sort(byCodePoint);
}

function checkClasses(
  classes: readonly string[],
  wanted: readonly LabelledFile[],
  items: readonly ManifestItem[],
  findings: Findings,
): void {
  const lost = (files: readonly LabelledFile[]) =>
    findings.skippedAmong(new Set(files.map((file) => file.path)));
  if (wanted.length === 0) {
    throw problem('dataset_empty', `No image has a label. Left out: ${findings.reasonsInWords()}`);
  }
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
