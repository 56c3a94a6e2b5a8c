import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import fc from 'fast-check';
import iconv from 'iconv-lite';
import { prepareDataset, RefusedDataset } from '../../src/datasets/prepare.ts';
import { nothingSaid } from '../../src/domain/dataset.ts';
import { newFolder, png } from '../fixtures/make-archive.ts';
import { type RawFile, writeRawTar, writeRawZip } from '../fixtures/raw-archive.ts';
import { randomUpload, type Said, type Upload } from './random-upload.ts';

const encodings = ['utf-8', 'shift_jis', 'gbk', 'euc-kr', 'windows-1252', 'windows-1251'];
const packing = fc.record({
  format: fc.constantFrom('zip' as const, 'tar' as const),
  encoding: fc.constantFrom(...encodings),
  /** Whether the uploader says the encoding. */
  told: fc.boolean(),
});
const pictures = new Map<number, Promise<Buffer>>();

/**
 * Packs `runs` random uploads as archives in some encoding and prepares them: every image of the data set has
 * the label and the split that a person gives it, none is gone in silence. `read`: those not refused.
 */
export async function checkArchives(runs: number): Promise<{ read: number; refused: string[] }> {
  let read = 0;
  const refused: string[] = [];
  await fc.assert(
    fc.asyncProperty(randomUpload, packing, async (upload, { format, encoding, told }) => {
      const packed = await pack(upload, encoding);
      const archivePath = await (format === 'zip'
        ? writeRawZip(packed.files)
        : writeRawTar(packed.files));
      const workDir = await newFolder();
      try {
        const labels = { ...nothingSaid, encoding: told ? packed.encoding : null };
        const { manifest, report } = await prepareDataset({ archivePath, format, workDir, labels });
        const shown = JSON.stringify({
          packing: { format, encoding, told },
          report,
          paths: [...upload.images.keys()],
        });
        assert.doesNotMatch(JSON.stringify(manifest), /\uFFFD/, shown);
        for (const { label, split, sha256 } of manifest.items) {
          assert.deepEqual({ label, split }, packed.said.get(sha256), shown);
        }
        assert.equal(
          manifest.items.length + report.skipped_total + report.used_tables.length,
          packed.files.length,
          shown,
        );
        read++;
      } catch (error) {
        if (!(error instanceof RefusedDataset)) throw error;
        refused.push(error.message);
      } finally {
        await rm(dirname(archivePath), { recursive: true });
        await rm(workDir, { recursive: true });
      }
    }),
    { numRuns: runs },
  );
  return { read, refused };
}

/** The upload in bytes; in UTF-8 where the encoding lacks one of its letters. */
async function pack({ images, others }: Upload, wanted: string) {
  const texts = [...images.keys(), ...others.keys(), ...others.values()];
  const fits = texts.every((text) => iconv.decode(iconv.encode(text, wanted), wanted) === text);
  const encoding = fits ? wanted : 'utf-8';
  const said = new Map<string, Said | null>();
  const files: RawFile[] = [];
  for (const [at, [path, label]] of [...images].entries()) {
    const content = await picture(at);
    files.push({ name: iconv.encode(path, encoding), content });
    said.set(createHash('sha256').update(content).digest('hex'), label);
  }
  for (const [path, text] of others) {
    files.push({ name: iconv.encode(path, encoding), content: iconv.encode(text, encoding) });
  }
  return { files, said, encoding };
}

function picture(number: number): Promise<Buffer> {
  const made = pictures.get(number) ?? png(number * 97 + 1);
  pictures.set(number, made);
  return made;
}
