import type { DatasetOptions, ManifestItem } from '../../domain/dataset.ts';
import type { Problem } from '../../domain/problem.ts';

/**
 * A file of the archive, an image by its name or its first bytes; `text` where it may be a table of labels,
 * `unreadable` where that text cannot be had: thrown by whoever needs it.
 */
export type NamedFile = {
  index: number;
  path: string;
  isImage: boolean;
  text?: string;
  unreadable?: Problem;
};
/** What the uploader said of how labels are found. */
export type LabelOptions = Omit<DatasetOptions, 'encoding'>;
export type LabelledFile = { index: number; path: string } & Pick<ManifestItem, 'label' | 'split'>;
export type Labelling = {
  files: LabelledFile[];
  skipped: { file: string; reason: string }[];
  warnings: string[];
  /** Paths of the tables that labels were read from. */
  tables?: string[];
};

/** The folders that all files share, from the top. */
export function commonFolder(files: readonly { path: string }[]): string[] {
  let shared: string[] | null = null;
  for (const { path } of files) {
    const folders = path.split('/').slice(0, -1);
    const own: string[] = shared ?? folders;
    let depth = 0;
    while (depth < own.length && own[depth] === folders[depth]) depth++;
    shared = own.slice(0, depth);
  }
  return shared ?? [];
}
