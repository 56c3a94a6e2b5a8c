import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { ArchiveFormat } from '../domain/archive-format.ts';
import type { ManifestItem } from '../domain/dataset.ts';
import { type Examined, examineImage } from '../vision/examine.ts';
import { Undecodable } from '../vision/undecodable.ts';
import { archiveEntries } from './archive/archive.ts';
import { type ArchiveLimits, archiveLimits } from './archive/limits.ts';
import type { Findings } from './findings.ts';
import type { LabelledFile } from './labelling/files.ts';

const imageBytesMax = 64 * 2 ** 20;
/** Images that decode at the same time. */
const decodingMax = 4;
const writeBytes = 2 ** 20;
const reasonsShownMax = 5;

/** `files`: all names that mean these bytes. */
type Checked = { files: LabelledFile[]; bytes: Buffer } & (
  | { image: Examined; sha256: string }
  | { reason: string }
);

/** Decodes every wanted file to know that it can be, and appends its bytes to images.bin. */
export async function packImages(
  wanted: readonly LabelledFile[],
  {
    archivePath,
    format,
    links,
    imagesPath,
    findings,
    items,
    signal,
    limits = archiveLimits,
  }: {
    archivePath: string;
    format: ArchiveFormat;
    /** The entry that holds the bytes of a hard link, by the link's index. */
    links: ReadonlyMap<number, number>;
    imagesPath: string;
    findings: Findings;
    items: ManifestItem[];
    signal?: AbortSignal;
    limits?: ArchiveLimits;
  },
): Promise<void> {
  const byIndex = new Map<number, LabelledFile[]>();
  for (const file of wanted) {
    const index = links.get(file.index) ?? file.index;
    byIndex.set(index, [...(byIndex.get(index) ?? []), file]);
  }
  const output = new Appender(await open(imagesPath, 'w'));
  const checking: Promise<Checked>[] = [];
  const faints: string[] = [];
  const refused = new Map<string, number>();
  const refuse = (files: readonly LabelledFile[], reason: string) => {
    for (const { path } of files) findings.skip(path, reason);
    refused.set(reason, (refused.get(reason) ?? 0) + files.length);
  };
  const settleOldest = async () => {
    const checked = await checking.shift();
    if (!checked) return;
    const { files, bytes } = checked;
    if ('reason' in checked) {
      refuse(files, checked.reason);
      return;
    }
    const stored = {
      offset: await output.append(bytes),
      length: bytes.length,
      width: checked.image.w,
      height: checked.image.h,
      orientation: checked.image.orientation,
      sha256: checked.sha256,
    };
    const { faint } = checked.image;
    if (faint) faints.push(...files.map(({ path }) => `${JSON.stringify(path)}: ${faint}`));
    for (const { path, label, split } of files) items.push({ file: path, label, split, ...stored });
  };
  try {
    for await (const entry of archiveEntries(archivePath, format, limits)) {
      signal?.throwIfAborted();
      const files = byIndex.get(entry.index);
      if (!files) continue;
      if (entry.bytes > imageBytesMax) {
        refuse(files, `over ${imageBytesMax} bytes`);
        continue;
      }
      checking.push(check(files, await entry.read()));
      if (checking.length >= decodingMax) await settleOldest();
    }
    while (checking.length > 0) await settleOldest();
    await output.flush();
  } finally {
    await Promise.allSettled(checking);
    await output.close();
  }
  const reasons = [...refused].map(([reason, count]) => `${reason} (${count})`);
  if (reasons.length > 0) {
    const count = [...refused.values()].reduce((sum, some) => sum + some, 0);
    const shown = reasons.slice(0, reasonsShownMax).join('; ');
    findings.warn(
      `${count} images cannot be used: ${shown}${reasons.length > reasonsShownMax ? '; ...' : ''}`,
    );
  }
  if (faints.length > 0) {
    findings.warn(
      `${faints.length} images are next to black, or cut off at white, as 8 bits: ${faints.slice(0, 3).join('; ')}${faints.length > 3 ? '; ...' : ''}. Scale them to 0..255 before the upload, if that is not meant`,
    );
  }
  const turned = items.filter(({ orientation }) => orientation > 1).length;
  if (turned > 0) {
    findings.warn(
      `${turned} images carry an EXIF orientation, which is not applied unless a job says data.exif_orientation: "apply" (fastai ignores it)`,
    );
  }
}

async function check(files: LabelledFile[], bytes: Buffer): Promise<Checked> {
  try {
    const image = await examineImage(bytes);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { files, bytes, image, sha256 };
  } catch (error) {
    if (!(error instanceof Undecodable)) throw error;
    return { files, bytes, reason: error.message };
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
