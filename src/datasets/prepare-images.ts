import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { ArchiveFormat } from '../domain/archive-format.ts';
import type { ManifestItem } from '../domain/dataset.ts';
import { decodeImage, exifOrientation, Undecodable } from '../vision/decode.ts';
import { archiveEntries } from './archive/archive.ts';
import { type ArchiveLimits, archiveLimits } from './archive/limits.ts';
import type { Findings } from './findings.ts';
import type { LabelledFile } from './labelling/files.ts';

const imageBytesMax = 64 * 2 ** 20;
/** Images that decode at the same time. */
const decodingMax = 4;
const writeBytes = 2 ** 20;

type Checked = { file: LabelledFile; bytes: Buffer } & (
  | { w: number; h: number; turned: boolean; sha256: string }
  | { reason: string }
);

/** Decodes every wanted file to know that it can be, and appends its bytes to images.bin. */
export async function packImages(
  wanted: readonly LabelledFile[],
  {
    archivePath,
    format,
    imagesPath,
    findings,
    items,
    signal,
    limits = archiveLimits,
  }: {
    archivePath: string;
    format: ArchiveFormat;
    imagesPath: string;
    findings: Findings;
    items: ManifestItem[];
    signal?: AbortSignal;
    limits?: ArchiveLimits;
  },
): Promise<void> {
  const byIndex = new Map(wanted.map((file) => [file.index, file]));
  const output = new Appender(await open(imagesPath, 'w'));
  const checking: Promise<Checked>[] = [];
  let turned = 0;
  const settleOldest = async () => {
    const checked = await checking.shift();
    if (!checked) return;
    const { file, bytes } = checked;
    if ('reason' in checked) return findings.skip(file.path, checked.reason);
    if (checked.turned) turned++;
    items.push({
      file: file.path,
      label: file.label,
      split: file.split,
      offset: await output.append(bytes),
      length: bytes.length,
      width: checked.w,
      height: checked.h,
      sha256: checked.sha256,
    });
  };
  try {
    for await (const entry of archiveEntries(archivePath, format, limits)) {
      signal?.throwIfAborted();
      const file = byIndex.get(entry.index);
      if (!file) continue;
      if (entry.bytes > imageBytesMax) {
        findings.skip(file.path, `over ${imageBytesMax} bytes`);
        continue;
      }
      checking.push(check(file, await entry.read()));
      if (checking.length >= decodingMax) await settleOldest();
    }
    while (checking.length > 0) await settleOldest();
    await output.flush();
  } finally {
    await Promise.allSettled(checking);
    await output.close();
  }
  if (turned > 0) {
    findings.warn(
      `${turned} images carry an EXIF orientation, which is not applied (as in fastai): turn them before the upload if that matters`,
    );
  }
}

async function check(file: LabelledFile, bytes: Buffer): Promise<Checked> {
  try {
    const { w, h } = await decodeImage(bytes);
    const turned = (await exifOrientation(bytes)) > 1;
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { file, bytes, w, h, turned, sha256 };
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    return { file, bytes, reason: error.message };
  }
}

/** Appends to a file in large writes. */
class Appender {
  private readonly handle: FileHandle;
  private chunks: Buffer[] = [];
  private held = 0;
  private end = 0;

  constructor(handle: FileHandle) {
    this.handle = handle;
  }

  /** Where the bytes begin in the file. */
  async append(bytes: Buffer): Promise<number> {
    const offset = this.end;
    this.end += bytes.length;
    this.held += bytes.length;
    this.chunks.push(bytes);
    if (this.held >= writeBytes) await this.flush();
    return offset;
  }

  async flush(): Promise<void> {
    const bytes = Buffer.concat(this.chunks);
    this.chunks = [];
    this.held = 0;
    for (let written = 0; written < bytes.length; ) {
      const result = await this.handle.write(bytes, written);
      written += result.bytesWritten;
    }
  }

  close(): Promise<void> {
    return this.handle.close();
  }
}
