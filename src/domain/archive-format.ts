import { z } from 'zod';

export const ArchiveFormat = z.enum(['zip', 'tar', 'tgz']);
export type ArchiveFormat = z.infer<typeof ArchiveFormat>;

/** As many bytes as sniffArchive wants to see; a tar has a whole header in them. */
export const sniffBytes = 512;

/** What the first bytes of a file say that it is; null: no archive that onecycle reads. */
export function sniffArchive(first: Uint8Array): ArchiveFormat | null {
  const [a, b, c, d] = first;
  if (a === 0x1f && b === 0x8b) return 'tgz';
  // PK 3 4 begins an entry, PK 5 6 is the end of a zip without entries
  if (a === 0x50 && b === 0x4b && ((c === 3 && d === 4) || (c === 5 && d === 6))) return 'zip';
  return isTarHeader(first) ? 'tar' : null;
}

/** Archives that are known and not read, by their first bytes. */
const foreign: [string, string][] = [
  ['7z\xbc\xaf\x27\x1c', '7z'],
  ['Rar!\x1a\x07', 'RAR'],
  ['\xfd7zXZ\0', 'xz'],
  ['BZh', 'bzip2'],
  ['\x28\xb5\x2f\xfd', 'Zstandard'],
  ['MSCF', 'CAB'],
];

/** The name of an archive that onecycle does not read, by the first bytes of the file; null for anything else. */
export function foreignArchive(first: Uint8Array): string | null {
  const begin = Buffer.from(first.subarray(0, 8)).toString('latin1');
  return foreign.find(([magic]) => begin.startsWith(magic))?.[1] ?? null;
}

/** Old tars have no magic, every tar has a checksum: the header's bytes summed with blanks in its place. */
function isTarHeader(header: Uint8Array): boolean {
  if (header.length < sniffBytes) return false;
  const field = Buffer.from(header.subarray(148, 156)).toString('latin1');
  const stated = /^[ 0]*([0-7]+)[ \0]*$/.exec(field)?.[1];
  if (stated === undefined) return false;
  let sum = 8 * 0x20;
  header.subarray(0, sniffBytes).forEach((byte, i) => {
    if (i < 148 || i >= 156) sum += byte;
  });
  return Number.parseInt(stated, 8) === sum;
}
