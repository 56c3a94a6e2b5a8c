// Local copies, all of which can be lost: data sets are cached under their digest, an attempt's files
// live in a folder of their own. Several workers may share the folder: a copy appears by rename.

import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Problem, problem } from '../src/domain/problem.ts';

const cachedBytesMax = 20 * 2 ** 30;
/** Whatever was touched within this time may be in use by another worker. */
const inUseMs = 6 * 3_600_000;

/** A worker's folder of copies. */
export class Scratch {
  private readonly dir: string;

  constructor(dir: string) {
    this.dir = dir;
  }

  /** A new empty folder; whoever asked removes it. */
  async folder(name: string): Promise<string> {
    const parent = join(this.dir, 'running');
    await mkdir(parent, { recursive: true });
    return mkdtemp(join(parent, `${name}-`));
  }

  /** The local path of what `open` streams, fetched once; `bytes` is its size where that is known. */
  async cached(
    name: string,
    open: () => Promise<Readable | null>,
    options: { bytes?: number; signal?: AbortSignal } = {},
  ): Promise<string | null> {
    const path = join(this.dir, 'cache', name);
    const found = await stat(path).catch(() => null);
    if (found && (options.bytes === undefined || found.size === options.bytes)) {
      const now = new Date();
      await utimes(path, now, now);
      return path;
    }
    await this.evict();
    return (await fetchTo(path, open, options.signal)) ? path : null;
  }

  /** Removes what processes that are gone left behind, and the oldest copies above the limit. */
  async evict(): Promise<void> {
    const old = Date.now() - inUseMs;
    for (const entry of await entries(join(this.dir, 'running'))) {
      if (entry.usedAt < old) await rm(entry.path, { recursive: true, force: true });
    }
    const copies = await entries(join(this.dir, 'cache'));
    let bytes = copies.reduce((sum, copy) => sum + copy.bytes, 0);
    for (const copy of copies.sort((a, b) => a.usedAt - b.usedAt)) {
      if (bytes <= cachedBytesMax) return;
      if (copy.usedAt >= old) continue;
      await rm(copy.path, { force: true });
      bytes -= copy.bytes;
    }
  }
}

/**
 * Streams into `path`, which then appears whole; false when there is nothing to stream.
 * @throws Problem `storage_unavailable` when the stream breaks off
 */
export async function fetchTo(
  path: string,
  open: () => Promise<Readable | null>,
  signal?: AbortSignal,
): Promise<boolean> {
  const source = await open();
  if (source === null) return false;
  await mkdir(dirname(path), { recursive: true });
  const part = join(dirname(path), `.${basename(path)}.${process.pid}.${Date.now()}.part`);
  let broken: unknown = null;
  source.once('error', (error) => {
    broken = error;
  });
  try {
    await pipeline(source, createWriteStream(part), { signal });
    await rename(part, path);
    return true;
  } catch (error) {
    await rm(part, { force: true });
    if (broken === null || signal?.aborted || error instanceof Problem) throw error;
    throw problem('storage_unavailable', `Reading ${basename(path)} broke off`, { cause: broken });
  }
}

async function entries(dir: string): Promise<{ path: string; bytes: number; usedAt: number }[]> {
  const names = await readdir(dir).catch(() => []);
  const found = names.map(async (name) => {
    const path = join(dir, name);
    const info = await stat(path).catch(() => null);
    return info ? [{ path, bytes: info.size, usedAt: info.mtimeMs }] : [];
  });
  return (await Promise.all(found)).flat();
}
