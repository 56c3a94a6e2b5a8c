// Objects as files: written aside, synced, renamed into place. A rename is atomic, so an object is there
// whole or not at all, and after the folder's sync it is there for good.

import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { problem } from '../domain/problem.ts';
import type { ByteRange, ObjectInfo, ObjectStore } from './object-store.ts';

const gone = new Set(['ENOENT', 'ENOTDIR']);

/** The embedded default: a folder. */
export class FileStore implements ObjectStore {
  private readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  async put(key: string, body: Uint8Array | string | Readable) {
    const path = this.path(key);
    return await this.aside(path, body, async (part) => {
      await rename(part, path);
    });
  }

  async putIfAbsent(key: string, body: Uint8Array | string): Promise<boolean> {
    const path = this.path(key);
    try {
      // link fails where the name exists, rename would replace it
      await this.aside(path, body, (part) => link(part, path));
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    }
  }

  async get(key: string): Promise<Buffer | null> {
    return await orNull(() => readFile(this.path(key)));
  }

  async stream(key: string, range?: ByteRange): Promise<Readable | null> {
    const info = await this.head(key);
    if (!info) return null;
    if (range && range.end <= range.start) return Readable.from([]);
    const part = range ? { start: range.start, end: range.end - 1 } : {};
    return createReadStream(this.path(key), part);
  }

  async head(key: string): Promise<ObjectInfo | null> {
    const info = await orNull(() => stat(this.path(key)));
    return info?.isFile() ? { key, bytes: info.size, modifiedAt: info.mtime } : null;
  }

  async *list(
    prefix: string,
    options: { after?: string; limit?: number } = {},
  ): AsyncIterable<ObjectInfo> {
    const folder = prefix.slice(0, prefix.lastIndexOf('/') + 1);
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    for await (const key of this.walk(folder)) {
      if (!key.startsWith(prefix) || (options.after !== undefined && key <= options.after))
        continue;
      const info = await this.head(key);
      if (!info) continue;
      yield info;
      left -= 1;
      if (left <= 0) return;
    }
  }

  async delete(key: string): Promise<void> {
    await rm(this.path(key), { force: true });
  }

  async presign(): Promise<null> {
    return null;
  }

  async check(): Promise<void> {
    await mkdir(this.dir, { recursive: true });
    await this.put('.check', '');
  }

  async close(): Promise<void> {}

  private path(key: string): string {
    if (!/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+)*$/.test(key) || key.split('/').includes('..')) {
      throw new Error(`not a key: ${key}`);
    }
    return join(this.dir, ...key.split('/'));
  }

  private async aside(
    path: string,
    body: Uint8Array | string | Readable,
    settle: (part: string) => Promise<void>,
  ): Promise<{ bytes: number; sha256: string }> {
    const part = join(this.dir, '.parts', randomUUID());
    await mkdir(dirname(part), { recursive: true });
    await mkdir(dirname(path), { recursive: true });
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      const file = await open(part, 'w');
      try {
        const chunks = body instanceof Readable ? body : [Buffer.from(body as Uint8Array)];
        for await (const chunk of chunks) {
          hash.update(chunk);
          bytes += chunk.length;
          await file.writeFile(chunk);
        }
        await file.sync();
      } finally {
        await file.close();
      }
      await settle(part);
      await syncFolder(dirname(path));
    } catch (cause) {
      if (codeOf(cause) === 'ENOSPC') {
        throw problem('storage_unavailable', `The disk under ${this.dir} is full`, { cause });
      }
      throw cause;
    } finally {
      await rm(part, { force: true });
    }
    return { bytes, sha256: hash.digest('hex') };
  }

  /** Keys below a folder, in the order of their bytes as S3 lists them. */
  private async *walk(folder: string): AsyncIterable<string> {
    const entries = await orNull(() => readdir(join(this.dir, folder), { withFileTypes: true }));
    const names = (entries ?? [])
      .filter((entry) => !(folder === '' && entry.name.startsWith('.')))
      .map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name))
      .sort();
    for (const name of names) {
      if (name.endsWith('/')) yield* this.walk(folder + name);
      else yield folder + name;
    }
  }
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

async function orNull<T>(action: () => Promise<T>): Promise<T | null> {
  try {
    return await action();
  } catch (error) {
    if (gone.has(codeOf(error) ?? '')) return null;
    throw error;
  }
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
