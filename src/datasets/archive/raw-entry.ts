/** An entry as its format gives it. */
export type RawEntry = {
  name: string;
  /** `other`: a link, a device, a pipe; never followed nor made. */
  kind: 'file' | 'folder' | 'other';
  bytes: number;
  /** The entry's bytes, verified; valid until the next entry is asked for. */
  read(): Promise<Buffer>;
};
