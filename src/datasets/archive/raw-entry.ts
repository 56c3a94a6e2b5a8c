/** A name as an archive holds it: its bytes, and the text where the format says their encoding. */
export type RawName = { bytes: Buffer; said: string | null };

/** An entry as its format gives it; `index` is its place among all entries. */
export type RawEntry = {
  index: number;
  name: RawName;
  /** `hard_link`: another name of the file `target`; links and devices are never followed nor made. */
  kind: 'file' | 'folder' | 'hard_link' | 'symbolic_link' | 'other';
  target: RawName | null;
  bytes: number;
  /** The first bytes, at least `headBytes` of them where there are as many; not verified. In place of read(). */
  head(): Promise<Buffer>;
  /** The entry's bytes, verified; valid until the next entry is asked for. */
  read(): Promise<Buffer>;
};

/** As many of a file's first bytes as tell what it is. */
export const headBytes = 64;
