import { crc32 } from 'node:zlib';
import yauzl from 'yauzl';
import { problem } from '../domain/problem.ts';
import type { RawEntry } from './archive.ts';
import type { ArchiveMeter } from './archive-limits.ts';

const stored = 0;
const deflated = 8;

/** The entries of a zip, by its central directory; declared sizes count before anything is inflated. */
export async function* zipEntries(
  archivePath: string,
  packedBytes: number,
  meter: ArchiveMeter,
): AsyncGenerator<RawEntry> {
  const zip = await yauzl.openPromise(archivePath, { decodeStrings: false, autoClose: false });
  let claimedBytes = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      const name = yauzl.getFileNameLowLevel(
        entry.generalPurposeBitFlag,
        entry.fileNameRaw,
        entry.extraFields,
        false,
      );
      if (entry.isEncrypted()) {
        throw problem('archive_encrypted', `${JSON.stringify(name)} needs a password`);
      }
      claimedBytes += entry.compressedSize;
      if (claimedBytes > packedBytes) {
        throw problem(
          'archive_broken',
          'Entries of the zip overlap: together they exceed the file',
        );
      }
      meter.unpacked(entry.uncompressedSize);
      yield {
        name,
        kind: kindOf(entry, name),
        bytes: entry.uncompressedSize,
        read: () => readEntry(zip, entry, name),
      };
    }
  } finally {
    zip.close();
  }
}

async function readEntry(zip: yauzl.ZipFile, entry: yauzl.Entry, name: string): Promise<Buffer> {
  if (entry.compressionMethod !== stored && entry.compressionMethod !== deflated) {
    throw problem(
      'archive_broken',
      `${JSON.stringify(name)} is compressed by method ${entry.compressionMethod}; expected stored or deflate`,
      { hint: 'Pack it again with plain zip, or as .tar.gz.' },
    );
  }
  const chunks: Buffer[] = [];
  // yauzl stops the stream where it exceeds or falls short of the declared size
  for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  if (crc32(bytes) !== entry.crc32) {
    throw problem('archive_broken', `${JSON.stringify(name)} fails its checksum (CRC-32)`);
  }
  return bytes;
}

function kindOf(entry: yauzl.Entry, name: string): RawEntry['kind'] {
  if (name.endsWith('/')) return 'folder';
  const madeByUnix = entry.versionMadeBy >>> 8 === 3;
  const type = (entry.externalFileAttributes >>> 28) & 0xf;
  if (!madeByUnix || type === 0 || type === 0x8) return 'file';
  return type === 0x4 ? 'folder' : 'other';
}
