// Files that a service must survive. Reaching the last test is half the point: no crash, no hang.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { prepareDataset, RefusedDataset } from '../../src/datasets/prepare.ts';
import type { ArchiveFormat } from '../../src/domain/archive-format.ts';
import { nothingSaid } from '../../src/domain/dataset.ts';
import { decodeImage } from '../../src/vision/decode.ts';
import { Undecodable } from '../../src/vision/undecodable.ts';
import { newFolder } from '../fixtures/make-archive.ts';
import { absent, testData } from '../fixtures/test-data.ts';

const skip = absent('hostile/MANIFEST.json');
const folder = testData('hostile') ?? '';

type Expected = string | { items: number; classes?: number; skipped?: string[]; warning?: RegExp };

const good = { items: 8, classes: 2, skipped: [] };
/** A code where the archive is refused. */
const archives: Record<string, Expected> = {
  'all_corrupt_class.zip': 'dataset_class_empty',
  'bad_checksum.tgz': 'archive_broken',
  'bomb_flat_512MB.zip': 'archive_limit',
  'bomb_lying_size.zip': 'archive_broken',
  'bomb_overlapping_entries.zip': 'archive_limit',
  'case_collision.zip': { items: 10, classes: 3, warning: /differ from another only by case/ },
  'cp437_name.zip': { items: 8, classes: 3 },
  'deep_nesting.zip': 'archive_limit',
  'duplicate_names.zip': { items: 8, classes: 2, skipped: ['train/cat/0.jpg'] },
  'empty.zip': 'dataset_empty',
  'encrypted_flag.zip': 'archive_encrypted',
  'encrypted_real.zip': 'archive_encrypted',
  'good_flat_names.zip': { items: 8, classes: 2 },
  'good_minimal.tar': good,
  'good_minimal.tgz': good,
  'good_minimal.zip': good,
  'good_wrapped_in_top_folder.zip': good,
  'labels_bad_csv.zip': 'labels_invalid',
  'labels_bom_crlf.zip': { items: 2, classes: 2 },
  'labels_traversal.zip': 'labels_invalid',
  'leak_train_valid.zip': { items: 10, warning: /2 images are in both train and valid/ },
  'lying_size_1TB.tar': 'archive_broken',
  'macos_appledouble.tgz': { ...good, skipped: ['._train', 'train/cat/._0.jpg'] },
  'many_entries_20000.zip': 'dataset_empty',
  'method_bzip2.zip': 'archive_broken',
  'method_stored.zip': good,
  'mixed_good_and_bad.zip': {
    items: 11,
    skipped: [
      'README.md',
      'train/cat/text.jpg',
      'train/cat/zero.jpg',
      'train/dog/notes.txt',
      'train/dog/trunc.jpg',
    ],
  },
  'not_a_zip.zip': 'archive_broken',
  'not_images.zip': 'dataset_empty',
  'pax_long_unicode.tgz': { items: 6, classes: 2 },
  'prefixed_sfx.zip': 'archive_broken',
  'slip_absolute.tgz': 'archive_unsafe',
  'slip_absolute.zip': 'archive_unsafe',
  'slip_dotdot.zip': 'archive_unsafe',
  'slip_windows.zip': 'archive_unsafe',
  'symlink.zip': { items: 9, skipped: ['train/cat/passwd.jpg', 'train/link'] },
  'trailing_garbage.tgz': 'archive_broken',
  'truncated.zip': 'archive_broken',
  'two_gzip_members.tgz': good,
  'weird_class_names.zip': 'archive_unsafe',
  'windows_backslashes.zip': good,
};
const csvLayout = new Set(['labels_bad_csv.zip', 'labels_bom_crlf.zip', 'labels_traversal.zip']);
const patterns: Record<string, string> = {
  'good_flat_names.zip': '/([^/]+)_\\d+.jpg$',
  'bomb_lying_size.zip': '/(cat)/',
};

async function outcome(name: string): Promise<Expected> {
  const pattern = patterns[name] ?? null;
  try {
    const { manifest, report } = await prepareDataset({
      archivePath: join(folder, 'archives', name),
      format: name.split('.').at(-1) as ArchiveFormat,
      labels: {
        ...nothingSaid,
        layout: pattern ? 'name_re' : csvLayout.has(name) ? 'csv' : 'auto',
        pattern,
      },
      workDir: await newFolder(),
    });
    const expected = archives[name];
    const warning = typeof expected === 'object' ? expected.warning : undefined;
    if (warning) assert.match(report.warnings.join('\n'), warning);
    return {
      items: manifest.items.length,
      classes: manifest.classes.length,
      skipped: report.skipped.map(({ file }) => file).sort(),
    };
  } catch (error) {
    if (error instanceof RefusedDataset) return error.code;
    throw error;
  }
}

test('every hostile archive has an expectation here', { skip }, async () => {
  const names = (await readdir(join(folder, 'archives'))).sort();
  assert.deepEqual(names, Object.keys(archives).sort());
});

for (const [name, expected] of Object.entries(archives)) {
  const says = typeof expected === 'string' ? `is refused as ${expected}` : 'becomes a data set';
  test(`${name} ${says}`, { skip }, async () => {
    const found = await outcome(name);
    if (typeof expected === 'string' || typeof found === 'string') {
      return assert.equal(found, expected);
    }
    assert.equal(found.items, expected.items);
    if (expected.classes) assert.equal(found.classes, expected.classes);
    if (expected.skipped) assert.deepEqual(found.skipped, expected.skipped);
  });
}

/** What our decoder reads though the manifest expects a fault: each is a whole picture. */
const leniently = new Set([
  'broken/broken_stream.jpg', // lossless JPEG, which libjpeg-turbo 3 decodes
  'broken/truncated_app14.jpg', // only a mark of Adobe's is cut
  'broken/truncated_exif_dpi.jpg', // only its EXIF is cut
  'broken/unknown_compression_method.png', // of the colour profile, which is not read
]);
/** Formats that are not understood; the manifest allows that. */
const unsupported = new Set(['formats/jpeg2000.jp2', 'formats/svg.svg']);

for (const kind of ['bombs', 'broken', 'formats', 'names']) {
  const files = skip ? [] : readdirSync(join(folder, kind));
  for (const file of files) {
    const name = `${kind}/${file}`;
    const decodes =
      leniently.has(name) || ((kind === 'formats' || kind === 'names') && !unsupported.has(name));
    test(`${JSON.stringify(name)} ${decodes ? 'decodes' : 'is refused with a reason'}`, async () => {
      const bytes = await readFile(join(folder, kind, file));
      if (!decodes) return assert.rejects(decodeImage(bytes), Undecodable);
      const { pixels, w, h } = await decodeImage(bytes);
      assert.equal(pixels.length, w * h * 3);
      const claim = JSON.parse(readFileSync(join(folder, 'MANIFEST.json'), 'utf8'))[name];
      // "ok: JPEG RGB 320x180 frames=1"
      const size = /^ok: .* (\d+)x(\d+) /.exec(claim?.pillow_9_4 ?? '');
      if (size) assert.deepEqual([String(w), String(h)], size.slice(1));
    });
  }
}

test('bombs cost no memory to speak of', { skip }, () => {
  const peakMegabytes = process.resourceUsage().maxRSS / 1024;
  assert.ok(peakMegabytes < 600, `${peakMegabytes} MB`);
});
