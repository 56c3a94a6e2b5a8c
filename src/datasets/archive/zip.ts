import { crc32, inflateRawSync } from 'node:zlib';
import yauzl from 'yauzl';
import { problem } from '../../domain/problem.ts';
import { BlockReader } from './blocks.ts';
import type { ArchiveMeter } from './limits.ts';
import type { RawEntry } from './raw-entry.ts';

const stored = 0;
const deflated = 8;

/** The entries of a zip, by its central directory; declared sizes count before anything is inflated. */
export async function* zipEntries(
  archivePath: string,
  packedBytes: number,
  meter: ArchiveMeter,
): AsyncGenerator<RawEntry> {
  const reader = new BlockReader(archivePath);
  const zip = await opened(reader, packedBytes);
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
      meter.unpacked(entry.uncompressedSize);
      claimedBytes += entry.compressedSize;
      if (claimedBytes > packedBytes) {
        throw problem(
          'archive_broken',
          'Entries of the zip overlap: together they exceed the file',
        );
      }
      yield {
        name,
        kind: kindOf(entry, name),
        bytes: entry.uncompressedSize,
        read: async () => {
          // deflate never grows data by more than this, and the claim sizes a buffer
          if (entry.compressedSize > entry.uncompressedSize * 1.01 + 1024) {
            throw problem('archive_broken', `${JSON.stringify(name)} claims to grow by packing`);
          }
          const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
          return unpack(entry, name, reader.bytes(fileDataStart, entry.compressedSize));
        },
      };
    }
  } finally {
    zip.close();
  }
}

/** yauzl closes the file with the zip, but not when there is no zip. */
async function opened(reader: BlockReader, packedBytes: number): Promise<yauzl.ZipFile> {
  const options = { decodeStrings: false, autoClose: false };
  try {
    return await yauzl.fromRandomAccessReaderPromise(reader, packedBytes, options);
  } catch (error) {
    reader.close(() => {});
    throw error;
  }
}

/** The bytes of an entry, which are what the directory says in size and checksum. */
function unpack(entry: yauzl.Entry, name: string, packed: Buffer): Buffer {
  const { compressionMethod, uncompressedSize } = entry;
  const shown = JSON.stringify(name);
  if (compressionMethod !== stored && compressionMethod !== deflated) {
    throw problem(
      'archive_broken',
      `${shown} is compressed by method ${compressionMethod}; expected stored or deflate`,
      { hint: 'Pack it again with plain zip, or as .tar.gz.' },
    );
  }
  const bytes = compressionMethod === stored ? packed : inflated(packed, uncompressedSize, shown);
  if (bytes.length !== uncompressedSize) {
    throw problem(
      'archive_broken',
      `${shown} unpacks to ${bytes.length} bytes, the directory says ${uncompressedSize}`,
    );
  }
  if (crc32(bytes) !== entry.crc32) {
    throw problem('archive_broken', `${shown} fails its checksum (CRC-32)`);
  }
  return bytes;
}

function inflated(packed: Buffer, bytesMax: number, shown: string): Buffer {
  try {
    return inflateRawSync(packed, { maxOutputLength: Math.max(1, bytesMax) });
  } catch (error) {
    throw problem('archive_broken', `${shown} does not inflate to the ${bytesMax} bytes declared`, {
      cause: error,
    });
  }
}

function kindOf(entry: yauzl.Entry, name: string): RawEntry['kind'] {
  if (name.endsWith('/')) return 'folder';
  const madeByUnix = entry.versionMadeBy >>> 8 === 3;
  const type = (entry.externalFileAttributes >>> 28) & 0xf;
  if (!madeByUnix || type === 0 || type === 0x8) return 'file';
  return type === 0x4 ? 'folder' : 'other';
}
