import { problem } from '../../domain/problem.ts';

/** What an archive may hold. Images hardly compress, so a high ratio is a bomb long before it is large. */
export const archiveLimits = {
  entriesMax: 500_000,
  unpackedBytesMax: 20 * 2 ** 30,
  /** Unpacked bytes per packed byte, counted once `ratioFloorBytes` are unpacked. */
  ratioMax: 200,
  ratioFloorBytes: 100 * 2 ** 20,
  pathBytesMax: 1024,
  depthMax: 32,
};
export type ArchiveLimits = typeof archiveLimits;

/** Counts what comes out of an archive of `packedBytes`. */
export class ArchiveMeter {
  private readonly limits: ArchiveLimits;
  private readonly bytesMax: number;
  private entries = 0;
  private bytes = 0;

  constructor(packedBytes: number, limits: ArchiveLimits) {
    this.limits = limits;
    this.bytesMax = Math.min(
      limits.unpackedBytesMax,
      Math.max(limits.ratioFloorBytes, packedBytes * limits.ratioMax),
    );
  }

  /** @throws Problem `archive_limit` */
  entry(): void {
    if (++this.entries > this.limits.entriesMax) {
      throw problem('archive_limit', `The archive holds over ${this.limits.entriesMax} entries`);
    }
  }

  /** @throws Problem `archive_limit` */
  unpacked(bytes: number): void {
    this.bytes += bytes;
    if (this.bytes <= this.bytesMax) return;
    const { unpackedBytesMax, ratioMax } = this.limits;
    throw problem(
      'archive_limit',
      this.bytesMax === unpackedBytesMax
        ? `The archive unpacks to more than ${unpackedBytesMax} bytes`
        : `The archive unpacks to more than ${ratioMax} times its size`,
    );
  }
}
