import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isTableName } from '../../src/datasets/labelling/csv.ts';
import { labelFiles } from '../../src/datasets/labelling/labelling.ts';
import { nothingSaid } from '../../src/domain/dataset.ts';
import { Problem } from '../../src/domain/problem.ts';
import { randomUpload, type Upload } from './random-upload.ts';

/**
 * Labels `runs` random uploads by their names: no image gets another label or split than a person's, and one
 * that gets none is named. `read`: the uploads not refused; `given`: the share of their images with a label.
 */
export function checkLabels(runs: number): { read: number; given: number; refused: string[] } {
  const counts = { read: 0, wanted: 0, given: 0 };
  const refused: string[] = [];
  fc.assert(
    fc.property(randomUpload, (upload) => {
      try {
        counts.given += compare(upload);
        counts.wanted += [...upload.images.values()].filter((said) => said !== null).length;
        counts.read++;
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        refused.push(error.message);
      }
    }),
    { numRuns: runs },
  );
  return { read: counts.read, given: counts.given / counts.wanted, refused };
}

/** How many images got their label. */
function compare({ images, others }: Upload): number {
  const paths = [...images.keys()].filter((path) => !isHidden(path));
  const files = [
    ...paths.map((path) => ({ path, isImage: true })),
    ...[...others].map(([path, text]) => ({
      path,
      isImage: false,
      ...(isTableName(path) ? { text } : {}),
    })),
  ].map((file, index) => ({ ...file, index, path: file.path.normalize('NFC') }));
  const labelling = labelFiles(files, nothingSaid);
  const left = new Set(labelling.skipped.map(({ file }) => file));
  const labelled = new Map(labelling.files.map((file) => [file.path, file]));
  for (const path of paths) {
    const found = labelled.get(path.normalize('NFC'));
    const shown = `${path} of\n${files.map((file) => file.path).join('\n')}\n${labelling.warnings.join('\n')}`;
    if (!found) {
      assert.ok(left.has(path.normalize('NFC')), `gone in silence: ${shown}`);
      continue;
    }
    const said = images.get(path) ?? null;
    assert.deepEqual({ label: found.label, split: found.split }, said, shown);
  }
  return labelled.size;
}

/** What prepare.ts leaves out before labels are sought. */
function isHidden(path: string): boolean {
  return /(^|\/)\.|__MACOSX/.test(path);
}
