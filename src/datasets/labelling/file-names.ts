// Which file a name in a table means. Names are relative to any one folder of the archive, may lack the
// extension, be in the other case, or begin with folders of another machine; a name that may mean two files
// means none.

import type { NamedFile } from './files.ts';
import { splitOf } from './split-words.ts';

/** How a name was understood, the strict way first. */
const ways = ['exact', 'no_extension', 'case', 'case_no_extension'] as const;
type Way = (typeof ways)[number];
export type Found = { file: NamedFile; way: Way; elsewhere: boolean };
export type Resolved = {
  /** The folder that most names are relative to. */
  root: string;
  found: (Found | 'several' | null)[];
  /** Folders where the same names are files too, as many as in `root`. */
  rivals: string[];
};

const votersMax = 2000;
/** Files of one name beyond which a name votes for no folder. */
const candidatesMax = 500;

export class FileNames {
  private readonly files: readonly NamedFile[];
  private readonly bySuffix = new Map<string, Map<string, NamedFile[]>>();

  /** `files` are the images, and other files that a table may name outright. */
  constructor(files: readonly NamedFile[]) {
    this.files = files;
  }

  /** Whether any file may be meant by a cell; `exactly` by its whole name. */
  mayBe(cell: string): { known: boolean; exactly: boolean } {
    const name = plainName(cell);
    if (name === null) return { known: false, exactly: false };
    const base = name.slice(-1);
    return {
      known: ways.some((way) => this.candidates(base, way).length > 0),
      exactly: this.candidates(base, 'exact').length > 0,
    };
  }

  /** Paths of a few images, for a message. */
  examples(): string[] {
    return this.files
      .filter(({ isImage }) => isImage)
      .slice(0, 4)
      .map(({ path }) => path);
  }

  /** The file of each name of a table that lies in folder `home`. */
  resolve(cells: readonly string[], home: string): Resolved {
    const names = cells.map(plainName);
    const { root, equals } = this.root(names, home);
    const fromTest = root.split('/').some(isTest);
    const rivals = new Set<string>();
    const found = names.map((name) => {
      if (name === null) return null;
      for (const way of ways) {
        const files = this.candidates(name, way);
        const under = files.filter((file) => rootOf(file, name) === root);
        if (under.length > 1) return 'several' as const;
        if (!under[0]) continue;
        const others = files.map((file) => rootOf(file, name)).filter((at) => equals.includes(at));
        for (const other of others) rivals.add(other);
        return { file: under[0], way, elsewhere: false };
      }
      return this.elsewhere(name, fromTest);
    });
    return { root, found, rivals: [...rivals] };
  }

  /** The one file in the whole archive, by as much of the name's end as any file has. */
  private elsewhere(name: readonly string[], fromTest: boolean): Found | 'several' | null {
    for (let from = 0; from < name.length; from++) {
      const end = name.slice(from);
      for (const way of ways) {
        const any = this.candidates(end, way);
        // a label for training never goes to an image of the test by its base name alone
        const files = fromTest
          ? any
          : any.filter(({ path }) => !path.split('/').slice(0, -1).some(isTest));
        if (files.length > 1) return 'several';
        if (files[0]) return { file: files[0], way, elsewhere: true };
      }
    }
    return null;
  }

  /** The folder under which most names are found; of equals the table's own, then any that is no test's. */
  private root(
    names: readonly (string[] | null)[],
    home: string,
  ): { root: string; equals: string[] } {
    const votes = new Map<string, number>();
    const step = Math.max(1, Math.floor(names.length / votersMax));
    for (let i = 0; i < names.length; i += step) {
      const name = names[i];
      if (!name) continue;
      const roots = new Set<string>();
      const files = this.candidates(name, 'case_no_extension');
      for (const file of [...files, ...this.candidates(name, 'case')].slice(0, candidatesMax)) {
        roots.add(rootOf(file, name));
      }
      for (const root of roots) votes.set(root, (votes.get(root) ?? 0) + 1);
    }
    const most = Math.max(0, ...votes.values());
    const best = [...votes].filter(([, count]) => count === most).map(([root]) => root);
    if (best.includes(home) || best.length === 0) return { root: home, equals: [] };
    const training = best.filter((root) => !root.split('/').some(isTest));
    const shown = training.length > 0 ? training : best;
    const [root = home, ...equals] = shown.sort((a, b) => a.length - b.length);
    return { root, equals };
  }

  private candidates(name: readonly string[], way: Way): readonly NamedFile[] {
    return this.index(name.length, way).get(keyOf(name, way, false)) ?? [];
  }

  /** The files by the last `segments` of their paths, made when first asked for. */
  private index(segments: number, way: Way): Map<string, NamedFile[]> {
    const name = `${way} ${segments}`;
    const made = this.bySuffix.get(name);
    if (made) return made;
    const index = new Map<string, NamedFile[]>();
    for (const file of this.files) {
      const parts = file.path.split('/');
      const bare = way === 'no_extension' || way === 'case_no_extension';
      if (parts.length < segments || (bare && !file.isImage)) continue;
      const key = keyOf(parts.slice(-segments), way, true);
      const files = index.get(key);
      if (files) files.push(file);
      else index.set(key, [file]);
    }
    this.bySuffix.set(name, index);
    return index;
  }
}

/** The segments of a name, of whatever machine; null for what names nothing. */
function plainName(cell: string): string[] | null {
  const path = cell.replaceAll('\\', '/').replace(/^[A-Za-z]:/, '');
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  return segments.length === 0 || segments.includes('..') ? null : segments;
}

function keyOf(segments: readonly string[], way: Way, isFile: boolean): string {
  const joined = segments.join('/');
  const folded = way === 'case' || way === 'case_no_extension' ? joined.toLowerCase() : joined;
  const bare = way === 'no_extension' || way === 'case_no_extension';
  return isFile && bare ? folded.replace(/\.[^./]+$/, '') : folded;
}

function rootOf({ path }: NamedFile, name: readonly string[]): string {
  return path.split('/').slice(0, -name.length).join('/');
}

function isTest(folder: string): boolean {
  return splitOf(folder) === 'test';
}
