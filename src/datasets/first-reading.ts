// The first reading of an archive: what its files are called, which of them are images, and the text of those that
// may be tables of labels. Nothing is decoded as an image here.

import type { ArchiveFormat } from '../domain/archive-format.ts';
import { Problem, problem } from '../domain/problem.ts';
import { isImageName, isPicture } from '../vision/image-format.ts';
import { archiveEntries } from './archive/archive.ts';
import type { ArchiveLimits } from './archive/limits.ts';
import { pathsOf } from './archive/names.ts';
import type { RawEntry, RawName } from './archive/raw-entry.ts';
import { isOtherKind } from './file-kinds.ts';
import type { Findings } from './findings.ts';
import { isTableName } from './labelling/csv.ts';
import type { NamedFile } from './labelling/files.ts';
import { isPreview, litterReason } from './litter.ts';
import { readText } from './text.ts';

const tableBytesMax = 64 * 2 ** 20;
const tablesBytesMax = 128 * 2 ** 20;

export type FirstReading = {
  files: NamedFile[];
  /** Folders that the archive names, with or without files in them. */
  folders: string[];
  /** The index of the entry whose bytes a hard link means, by the link's own index. */
  links: Map<number, number>;
};
type Seen = {
  index: number;
  kind: RawEntry['kind'];
  target: RawName | null;
  isImage: boolean;
  table: Buffer | 'too large' | null;
};

/**
 * Reads the names of an archive.
 * @throws Problem `archive_*`, `encoding_unknown`
 */
export async function readNames(
  {
    archivePath,
    format,
    limits,
    encoding,
    csv,
    namesAreLabels,
    signal,
  }: {
    archivePath: string;
    format: ArchiveFormat;
    limits: ArchiveLimits;
    encoding: string | null;
    /** The end of the path of a table that the uploader names. */
    csv: string | null;
    namesAreLabels: boolean;
    signal?: AbortSignal;
  },
  findings: Findings,
): Promise<FirstReading> {
  const names: RawName[] = [];
  const seen: Seen[] = [];
  let tableBytes = 0;
  for await (const entry of archiveEntries(archivePath, format, limits)) {
    signal?.throwIfAborted();
    const { index, kind, target } = entry;
    // extensions are ASCII, in whatever encoding the rest may be
    const ascii = (entry.name.said ?? entry.name.bytes.toString('latin1')).replace(/^(\.\/)+/, '');
    let table: Seen['table'] = null;
    if (kind === 'file' && isTable(ascii, csv)) {
      table =
        entry.bytes > tableBytesMax || tableBytes + entry.bytes > tablesBytesMax
          ? 'too large'
          : await entry.read();
      tableBytes += table === 'too large' ? 0 : entry.bytes;
    }
    const isImage = kind === 'file' && table === null && (await looksLikeImage(ascii, entry));
    names.push(entry.name);
    seen.push({ index, kind, target, isImage, table });
  }
  const { paths, warnings } = pathsOf(names, { encoding, namesAreLabels, limits });
  for (const warning of warnings) findings.warn(warning);
  return sorted(seen, names, paths, { encoding, findings });
}

function isTable(name: string, csv: string | null): boolean {
  return isTableName(name) || (csv !== null && name.endsWith(csv));
}

async function looksLikeImage(name: string, entry: RawEntry): Promise<boolean> {
  if (isImageName(name)) return true;
  if (isOtherKind(name) || entry.bytes === 0 || litterReason(name) !== null) return false;
  return isPicture(await entry.head());
}

/** The files that count, each path once; all else goes to the findings with its reason. */
function sorted(
  seen: readonly Seen[],
  names: readonly RawName[],
  paths: readonly string[],
  { encoding, findings }: { encoding: string | null; findings: Findings },
): FirstReading {
  const reading: FirstReading = { files: [], folders: [], links: new Map() };
  const taken = new Map<string, string>();
  const folded = new Set<string>();
  const byRawName = new Map<string, NamedFile>();
  let collisions = 0;
  for (const [i, { index, kind, target, isImage, table }] of seen.entries()) {
    const path = paths[i] ?? '';
    const name = rawKey(names[i]);
    const reason = litterReason(path);
    if (path === '') continue;
    if (kind === 'folder') {
      if (litterReason(`${path}/`) === null) reading.folders.push(path);
    } else if (reason !== null) findings.skip(path, reason, { minor: true });
    else if (kind === 'symbolic_link')
      findings.skip(path, 'a symbolic link, which is not followed');
    else if (kind === 'other') findings.skip(path, 'a device or a pipe, which is no file');
    else if (taken.has(path)) {
      findings.skip(
        path,
        taken.get(path) === name
          ? 'the archive holds this name twice; the first is kept'
          : 'another file has the same name, but for the bytes that write it (Unicode’s forms, or slashes); the first is kept',
      );
    } else {
      const linked = kind === 'hard_link' ? byRawName.get(rawKey(target ?? undefined)) : undefined;
      if (kind === 'hard_link' && !linked) {
        findings.skip(path, 'a hard link to a file that the archive does not hold before it');
        continue;
      }
      const lower = path.toLowerCase();
      if (folded.has(lower)) collisions++;
      taken.set(path, name);
      folded.add(lower);
      const file: NamedFile = linked
        ? { ...linked, index, path }
        : { index, path, isImage, ...tableOf(path, table, encoding, findings) };
      if (linked) reading.links.set(index, reading.links.get(linked.index) ?? linked.index);
      byRawName.set(name, file);
      reading.files.push(file);
    }
  }
  if (collisions > 0) findings.warn(`${collisions} names differ from another only by case`);
  return { ...reading, files: withoutPreviews(reading.files, findings) };
}

/** Bytes as a key, without the `./` that one of a link and its target may have. */
function rawKey(name: RawName | undefined): string {
  return (name?.bytes.toString('latin1') ?? '').replace(/^(\.\/)+/, '');
}

function tableOf(
  path: string,
  table: Seen['table'],
  encoding: string | null,
  findings: Findings,
): { text?: string; unreadable?: Problem } {
  if (table === null) return {};
  const shown = JSON.stringify(path);
  if (table === 'too large') {
    const unreadable = problem(
      'labels_invalid',
      `${shown} is not read: it is over ${tableBytesMax} bytes, or all tables together are over ${tablesBytesMax}`,
    );
    return { text: '', unreadable };
  }
  try {
    const { text, warning } = readText(table, { path, encoding });
    if (warning) findings.warn(warning);
    return { text };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { text: '', unreadable: error };
  }
}

/** thumbs/ may be a class where there is nothing else; beside other images it holds their previews. */
function withoutPreviews(files: NamedFile[], findings: Findings): NamedFile[] {
  const previews = files.filter(({ path }) => isPreview(path));
  const others = files.some(({ path, isImage }) => isImage && !isPreview(path));
  if (previews.length === 0 || !others) return files;
  for (const { path } of previews)
    findings.skip(path, 'a preview: it lies in a folder of that name', { minor: true });
  findings.warn(
    `${previews.length} files in folders named thumbs or thumbnails are left out as previews of others: rename the folder if it is a class`,
  );
  return files.filter(({ path }) => !isPreview(path));
}
