import { createReadStream } from 'node:fs';
import { Transform, type Writable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { ArchiveMeter } from './limits.ts';
import type { RawEntry } from './raw-entry.ts';

/** The entries of a tar, as a stream: bytes that nobody reads are skipped, not held. */
export async function* tarEntries(
  archivePath: string,
  gzipped: boolean,
  meter: ArchiveMeter,
): AsyncGenerator<RawEntry> {
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
  const unpacked = extract();
  const file = createReadStream(archivePath, { highWaterMark: 2 ** 18 });
  const stages = gzipped ? [file, createGunzip(), metered] : [file, metered];
  for (const stage of stages) stage.once('error', (error: Error) => unpacked.destroy(error));
  stages
    .reduce((from, to) => from.pipe(to as Transform))
    // tar-stream's own streams behave as Node's, without the types
    .pipe(unpacked as unknown as Writable);
  try {
    for await (const entry of unpacked) {
      const { name, type, size } = entry.header;
      yield {
        name,
        kind: type === 'file' || type === 'contiguous-file' ? 'file' : folderOrOther(type),
        bytes: size ?? 0,
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

function folderOrOther(type: string | null | undefined): 'folder' | 'other' {
  return type === 'directory' ? 'folder' : 'other';
}
