import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import iconv from 'iconv-lite';
import { archiveLimits } from '../../src/datasets/archive/limits.ts';
import { Findings } from '../../src/datasets/findings.ts';
import { readNames } from '../../src/datasets/first-reading.ts';
import type { ArchiveFormat } from '../../src/domain/archive-format.ts';
import { Problem } from '../../src/domain/problem.ts';
import { type RawFile, unicodePath, writeRawTar, writeRawZip } from '../fixtures/raw-archive.ts';

async function named(
  format: ArchiveFormat,
  files: readonly RawFile[],
  {
    encoding = null,
    namesAreLabels = false,
  }: { encoding?: string | null; namesAreLabels?: boolean } = {},
) {
  const archivePath = await (format === 'zip' ? writeRawZip(files) : writeRawTar(files));
  const findings = new Findings();
  const reading = await readNames(
    { archivePath, format, limits: archiveLimits, encoding, csv: null, namesAreLabels },
    findings,
  );
  const { warnings, skipped } = findings.report([], null);
  return { ...reading, paths: reading.files.map(({ path }) => path), warnings, skipped };
}

const refused = (code: string, words: RegExp) => (error: unknown) =>
  error instanceof Problem && error.code === code && words.test(error.message);
const namesIn = (encoding: string, ...paths: string[]) =>
  paths.map((path) => ({ name: iconv.encode(path, encoding) }));

test('zip: bit 11 and the Unicode Path field say that a name is UTF-8', async () => {
  const raw = iconv.encode('表/1.jpg', 'shift_jis');
  const { paths, warnings } = await named('zip', [
    { name: Buffer.from('猫/1.jpg'), utf8: true },
    { name: raw, extra: unicodePath(raw, '表/1.jpg') },
    { name: Buffer.from('cat/1.jpg') },
  ]);
  assert.deepEqual(paths, ['猫/1.jpg', '表/1.jpg', 'cat/1.jpg']);
  assert.deepEqual(warnings, []);
});

test('zip: a Unicode Path field that was made for another name is not believed', async () => {
  const raw = Buffer.from('cat/1.jpg');
  const { paths } = await named('zip', [
    { name: raw, extra: unicodePath(raw, 'dog/1.jpg', { crc: 7 }) },
  ]);
  assert.deepEqual(paths, ['cat/1.jpg']);
});

for (const format of ['zip', 'tar'] as const) {
  test(`${format}: names without a word on their encoding are UTF-8 where all of them are`, async () => {
    const { paths, warnings } = await named(format, namesIn('utf-8', '猫/写真.jpg', 'größe/1.jpg'));
    assert.deepEqual(paths, ['猫/写真.jpg', 'größe/1.jpg']);
    assert.deepEqual(warnings, []);
  });

  test(`${format}: the encoding that is said is used, and no half of a letter separates folders`, async () => {
    const files = namesIn('shift_jis', 'ソファ/表.jpg', '性能/機能.jpg');
    const { paths } = await named(format, files, { encoding: 'shift_jis' });
    assert.deepEqual(paths, ['ソファ/表.jpg', '性能/機能.jpg']);
  });

  test(`${format}: an encoding that is said and wrong is refused, with the entry`, async () => {
    await assert.rejects(
      named(format, namesIn('shift_jis', '猫/1.jpg', '犬/1.jpg', '鳥/1.jpg'), {
        encoding: 'euc-kr',
      }),
      refused('encoding_unknown', /entry "\\x8c\\xa2\/1\.jpg" is not euc-kr/),
    );
  });

  test(`${format}: folders whose encoding is not sure are refused, with the entry`, async () => {
    await assert.rejects(
      named(format, namesIn('shift_jis', '猫/1.jpg', '犬/1.jpg')),
      (error) =>
        refused('encoding_unknown', /entry "\\x94L\/1\.jpg"/)(error) &&
        /\?encoding=shift_jis/.test((error as Problem).hint),
    );
  });

  test(`${format}: a guess over all names is used where it is sure, and said`, async () => {
    const files = namesIn('cp437', 'käfer/1.jpg', 'größe/2.jpg', 'hund/3.jpg');
    const { paths, warnings } = await named(format, files);
    assert.deepEqual(paths, ['käfer/1.jpg', 'größe/2.jpg', 'hund/3.jpg']);
    assert.match(warnings.join(), /read as cp437, a guess .* such as "käfer\/1\.jpg"/);
  });

  test(`${format}: names of files alone are kept as bytes, unless they are labels`, async () => {
    const files = namesIn('shift_jis', 'cat/表0.jpg', 'dog/写真%.jpg');
    const { paths, warnings } = await named(format, files);
    assert.deepEqual(paths, ['cat/%95%5C0.jpg', 'dog/%8E%CA%90^%25.jpg']);
    assert.match(warnings.join(), /%XX/);
    await assert.rejects(
      named(format, files, { namesAreLabels: true }),
      refused('encoding_unknown', /cat/),
    );
  });

  test(`${format}: a backslash separates only where no name has a slash`, async () => {
    const windows = await named(format, namesIn('utf-8', 'train\\cat\\1.jpg', 'train\\dog\\2.jpg'));
    assert.deepEqual(windows.paths, ['train/cat/1.jpg', 'train/dog/2.jpg']);
    const unix = await named(format, namesIn('utf-8', 'cat/a\\b.jpg', 'dog/2.jpg'));
    assert.deepEqual(unix.paths, ['cat/a\\b.jpg', 'dog/2.jpg']);
    assert.match(unix.warnings.join(), /1 names hold a \\, such as "cat\/a\\\\b\.jpg"/);
  });

  test(`${format}: a name whose letters were lost before is refused`, async () => {
    await assert.rejects(
      named(format, namesIn('utf-8', 'caf\uFFFD/1.jpg')),
      refused('encoding_unknown', /holds U\+FFFD/),
    );
  });

  test(`${format}: names are in the form NFC, and two that are one in it are not merged`, async () => {
    const { paths, skipped } = await named(
      format,
      namesIn('utf-8', 'cafe\u0301/1.jpg', 'caf\u00e9/1.jpg', 'caf\u00e9/2.jpg'),
    );
    assert.deepEqual(paths, ['caf\u00e9/1.jpg', 'caf\u00e9/2.jpg']);
    assert.match(skipped[0]?.reason ?? '', /same name, but for the bytes/);
  });

  test(`${format}: random names come back as they are, or are refused`, async () => {
    const segment = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
      .filter((text) => !/[\\/\0\uFFFD]|^[.\s]|^[a-z]:$/iu.test(text))
      .map((text) => text.replace(/^\.+/, 'x'));
    const form = fc.constantFrom('NFC', 'NFD');
    const encodings = ['utf-8', 'shift_jis', 'gbk', 'euc-kr', 'big5', 'windows-1252', 'cp437'];
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.tuple(segment, segment, form), {
          minLength: 1,
          maxLength: 6,
          selector: ([folder, file]) => `${folder}/${file}`.normalize('NFC'),
        }),
        fc.constantFrom(...encodings),
        fc.boolean(),
        async (names, encoding, isSaid) => {
          const paths = names
            .map(([folder, file, form]) => `${folder}/${file}.jpg`.normalize(form))
            .filter((path) => iconv.decode(iconv.encode(path, encoding), encoding) === path)
            .filter((path) => Buffer.byteLength(path) <= 100);
          try {
            const found = await named(format, namesIn(encoding, ...paths), {
              encoding: isSaid ? encoding : null,
              namesAreLabels: true,
            });
            // what is not said may be guessed, but then it is told
            if (!isSaid && /encoding=/.test(found.warnings.join())) return;
            const expected = paths.map((path) =>
              path
                .normalize('NFC')
                .split('/')
                .filter((part) => part !== '' && part !== '.')
                .join('/'),
            );
            const all = [...found.paths, ...found.skipped.map(({ file }) => file)];
            assert.deepEqual(all.sort(), expected.sort());
          } catch (error) {
            if (!(error instanceof Problem)) throw error;
            assert.ok(['encoding_unknown', 'archive_unsafe'].includes(error.code), error.message);
            assert.ok(!(isSaid && error.code === 'encoding_unknown'), error.message);
          }
        },
      ),
      { numRuns: 300 },
    );
  });
}

test('tar: PAX says that a name is UTF-8, beside names that are not', async () => {
  const { paths } = await named(
    'tar',
    [{ name: Buffer.from('x'), pax: '猫/1.jpg' }, ...namesIn('shift_jis', '犬/2.jpg')],
    { encoding: 'shift_jis' },
  );
  assert.deepEqual(paths, ['猫/1.jpg', '犬/2.jpg']);
});
