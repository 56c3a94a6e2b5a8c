import type { Readable } from 'node:stream';

export type ObjectInfo = { key: string; bytes: number; modifiedAt: Date };
/** Inclusive start, exclusive end, in bytes. */
export type ByteRange = { start: number; end: number };

/**
 * Named bytes that survive anything. An object is there whole or not at all, and one that was
 * acknowledged is read back by the next call. Keys are `/`-separated, of [A-Za-z0-9._-].
 * Every method throws Problem `storage_unavailable` when the store does not answer after its retries.
 */
export interface ObjectStore {
  /** Writes the whole object, replacing what was there; a stream is never held whole in memory. */
  put(
    key: string,
    body: Uint8Array | string | Readable,
    options?: { contentType?: string },
  ): Promise<{ bytes: number; sha256: string }>;
  /** Writes only if nothing is there; false when something is. */
  putIfAbsent(key: string, body: Uint8Array | string): Promise<boolean>;
  /** The whole object, or null when there is none. */
  get(key: string): Promise<Buffer | null>;
  /** The object, or a range of it, as a stream; null when there is none. */
  stream(key: string, range?: ByteRange): Promise<Readable | null>;
  head(key: string): Promise<ObjectInfo | null>;
  /** Keys that begin with `prefix`, in order, from behind `after`. */
  list(prefix: string, options?: { after?: string; limit?: number }): AsyncIterable<ObjectInfo>;
  /** No error when there is nothing. */
  delete(key: string): Promise<void>;
  /** A URL that answers a GET of this object for `seconds`; null where the store cannot do that. */
  presign(key: string, options: { seconds: number; filename?: string }): Promise<string | null>;
  /** Resolves when the store answers; throws otherwise. For readiness. */
  check(): Promise<void>;
  close(): Promise<void>;
}
