// Archives are read entry by entry, in their own order, and never unpacked to disk: what an entry is
// called can do no harm. Reading one twice gives the same entries with the same indices.

import { stat } from 'node:fs/promises';
import type { ArchiveFormat } from '../../domain/archive-format.ts';
import { Problem, problem } from '../../domain/problem.ts';
import { showBytes } from '../text.ts';
import { type ArchiveLimits, ArchiveMeter, archiveLimits } from './limits.ts';
import type { RawEntry } from './raw-entry.ts';
import { tarEntries } from './tar.ts';
import { zipEntries } from './zip.ts';

/**
 * All entries of an archive in its own order, their names as bytes.
 * @throws Problem `archive_broken`, `archive_encrypted`, `archive_limit`
 */
export async function* archiveEntries(
  archivePath: string,
  format: ArchiveFormat,
  limits: ArchiveLimits = archiveLimits,
): AsyncGenerator<RawEntry> {
  const packedBytes = (await stat(archivePath)).size;
  const meter = new ArchiveMeter(packedBytes, limits);
  const entries =
    format === 'zip'
      ? zipEntries(archivePath, packedBytes, meter)
      : tarEntries(archivePath, format === 'tgz', meter);
  let index = -1;
  try {
    for await (const entry of entries) {
      index++;
      meter.entry();
      const { bytes } = entry.name;
      if (bytes.length > limits.pathBytesMax) {
        throw problem(
          'archive_limit',
          `A path is over ${limits.pathBytesMax} bytes: ${showBytes(bytes.subarray(0, 100))}...`,
        );
      }
      yield { ...entry, index };
    }
  } catch (error) {
    throw asProblem(error, format);
  }
}

/** What a reader throws at a damaged archive, said to the user; an error of our own disk stays. */
function asProblem(error: unknown, format: ArchiveFormat): unknown {
  if (error instanceof Problem || !(error instanceof Error)) return error;
  const code = 'code' in error ? String(error.code) : '';
  if (error.name === 'AbortError' || /^E[A-Z]+$/.test(code)) return error;
  return problem('archive_broken', `The ${format} cannot be read: ${error.message}`, {
    cause: error,
  });
}
