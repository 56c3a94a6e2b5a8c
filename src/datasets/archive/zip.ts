import { constants, crc32, inflateRawSync } from 'node:zlib';
import yauzl from 'yauzl';
import { problem } from '../../domain/problem.ts';
import { decodedAs } from '../encodings.ts';
import { showBytes } from '../text.ts';
import { BlockReader } from './blocks.ts';
import type { ArchiveMeter } from './limits.ts';
import { headBytes, type RawEntry, type RawName } from './raw-entry.ts';

const stored = 0;
const deflated = 8;
/** Deflate's longest preamble is a third of this. */
const packedHeadBytes = 1024;
/** APPNOTE 4.4.5, for what people meet. */
const methods = new Map([
  [9, 'Deflate64, which Windows writes for large files'],
  [12, 'BZIP2'],
  [14, 'LZMA'],
  [93, 'Zstandard'],
  [95, 'XZ'],
  [98, 'PPMd'],
]);
const utf8Flag = 0x800;
const unicodePathField = 0x7075;

/** The entries of a zip, by its central directory; declared sizes count before anything is inflated. */
export async function* zipEntries(
  archivePath: string,
  packedBytes: number,
  meter: ArchiveMeter,
): AsyncGenerator<Omit<RawEntry, 'index'>> {
  const reader = new BlockReader(archivePath);
  const zip = await opened(reader, packedBytes);
  let claimedBytes = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      const shown = showBytes(entry.fileNameRaw);
      if (entry.isEncrypted()) {
        throw problem('archive_encrypted', `${shown} needs a password`);
      }
      meter.unpacked(entry.uncompressedSize);
      claimedBytes += entry.compressedSize;
      if (claimedBytes > packedBytes) {
        throw problem(
          'archive_broken',
          'Entries of the zip overlap: together they exceed the file',
        );
      }
      const packed = async (bytesMax: number) => {
        const { fileDataStart } = await zip.readLocalFileHeaderPromise(entry, { minimal: true });
        return reader.bytes(fileDataStart, Math.min(entry.compressedSize, bytesMax));
      };
      yield {
        name: nameOf(entry),
        kind: kindOf(entry),
        target: null,
        bytes: entry.uncompressedSize,
        head: async () => headOf(entry, shown, await packed(packedHeadBytes)),
        read: async () => {
          // deflate never grows data by more than this, and the claim sizes a buffer
          if (entry.compressedSize > entry.uncompressedSize * 1.01 + 1024) {
            throw problem('archive_broken', `${shown} claims to grow by packing`);
          }
          return unpack(entry, shown, await packed(entry.compressedSize));
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

/** The name, whose encoding is said by general purpose bit 11 or by Info-ZIP's Unicode Path field. */
function nameOf({ fileNameRaw: bytes, generalPurposeBitFlag, extraFields }: yauzl.Entry): RawName {
  if (generalPurposeBitFlag & utf8Flag) return { bytes, said: decodedAs('utf-8', bytes) };
  const field = extraFields.find(({ id }) => id === unicodePathField)?.data;
  // version 1, then the CRC-32 of the name that it was made for: another tool may have renamed the entry
  const valid =
    field && field.length > 5 && field[0] === 1 && field.readUInt32LE(1) === crc32(bytes);
  return { bytes, said: valid ? decodedAs('utf-8', field.subarray(5)) : null };
}

function checkMethod({ compressionMethod }: yauzl.Entry, shown: string): void {
  if (compressionMethod === stored || compressionMethod === deflated) return;
  const known = methods.get(compressionMethod);
  throw problem(
    'archive_broken',
    `${shown} is compressed by method ${compressionMethod}${known ? ` (${known})` : ''}; expected stored or deflate`,
    { hint: 'Pack it again with `zip -r` or 7-Zip (method Deflate), or as .tar.gz.' },
  );
}

/** What the first packed bytes unpack to, as far as they do. */
function headOf(entry: yauzl.Entry, shown: string, packed: Buffer): Buffer {
  checkMethod(entry, shown);
  if (entry.compressionMethod === stored) return packed.subarray(0, headBytes);
  try {
    const finishFlush = constants.Z_SYNC_FLUSH;
    return inflateRawSync(packed, { finishFlush }).subarray(0, headBytes);
  } catch {
    // damaged: it is told by no first bytes, and read() would say so
    return Buffer.alloc(0);
  }
}

/** The bytes of an entry, which are what the directory says in size and checksum. */
function unpack(entry: yauzl.Entry, shown: string, packed: Buffer): Buffer {
  checkMethod(entry, shown);
  const { compressionMethod, uncompressedSize } = entry;
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

function kindOf(entry: yauzl.Entry): RawEntry['kind'] {
  // no second byte of any encoding of names is a `/`
  if (entry.fileNameRaw.at(-1) === 0x2f) return 'folder';
  const madeByUnix = entry.versionMadeBy >>> 8 === 3;
  const type = (entry.externalFileAttributes >>> 28) & 0xf;
  if (!madeByUnix || type === 0 || type === 0x8) return 'file';
  if (type === 0x4) return 'folder';
  return type === 0xa ? 'symbolic_link' : 'other';
}
