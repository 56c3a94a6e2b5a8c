import { createReadStream } from 'node:fs';
import { type Readable, Transform, type Writable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import { z } from 'zod';
import type { ArchiveMeter } from './limits.ts';
import { headBytes, type RawEntry, type RawName } from './raw-entry.ts';

const Pax = z.object({ path: z.string().optional(), linkpath: z.string().optional() }).nullish();

/** The entries of a tar, as a stream: bytes that nobody reads are skipped, not held. */
export async function* tarEntries(
  archivePath: string,
  gzipped: boolean,
  meter: ArchiveMeter,
): AsyncGenerator<Omit<RawEntry, 'index'>> {
  const metered = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        meter.unpacked(chunk.length);
        done(null, chunk);
      } catch (error) {
        done(error as Error);
      }
    },
  });
  // names that no PAX header says are bytes: read as Latin-1, each letter is one of them
  const options: object = { filenameEncoding: 'latin1' };
  const unpacked = extract(options);
  const file = createReadStream(archivePath, { highWaterMark: 2 ** 18 });
  const stages = gzipped ? [file, createGunzip(), metered] : [file, metered];
  for (const stage of stages) stage.once('error', (error: Error) => unpacked.destroy(error));
  stages
    .reduce((from, to) => from.pipe(to as Transform))
    // tar-stream's own streams behave as Node's, without the types
    .pipe(unpacked as unknown as Writable);
  try {
    for await (const entry of unpacked) {
      const { name, linkname, size } = entry.header;
      const pax = Pax.parse(entry.header.pax);
      yield {
        name: nameOf(name, pax?.path),
        kind: kindOf(entry.header),
        target: linkname ? nameOf(linkname, pax?.linkpath) : null,
        bytes: size ?? 0,
        // tar-stream's own streams behave as Node's, without the types
        head: () => headOf(entry as unknown as Readable),
        read: async () => {
          const chunks: Buffer[] = [];
          for await (const chunk of entry) chunks.push(chunk as Buffer);
          return Buffer.concat(chunks);
        },
      };
      entry.resume();
    }
  } finally {
    for (const stage of stages) stage.destroy();
    unpacked.destroy();
  }
}

function nameOf(name: string, said: string | undefined): RawName {
  // POSIX pax: `path` and `linkpath` are UTF-8; what is not became U+FFFD there, and is told by that
  return said === undefined
    ? { bytes: Buffer.from(name, 'latin1'), said: null }
    : { bytes: Buffer.from(said), said };
}

/** The first bytes, with the rest still flowing: the tar's next entry lies behind it. */
function headOf(entry: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let held = 0;
    const settle = () => resolve(Buffer.concat(chunks).subarray(0, headBytes));
    entry.on('data', (chunk: Buffer) => {
      if (held >= headBytes) return;
      held += chunk.length;
      chunks.push(chunk);
      if (held >= headBytes) settle();
    });
    entry.once('end', settle);
    entry.once('error', reject);
    entry.once('close', settle);
  });
}

function kindOf({ type }: Header): RawEntry['kind'] {
  if (type === 'file' || type === 'contiguous-file') return 'file';
  if (type === 'directory') return 'folder';
  if (type === 'link') return 'hard_link';
  return type === 'symlink' ? 'symbolic_link' : 'other';
}
