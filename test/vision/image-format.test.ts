import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeImage } from '../../src/vision/decode.ts';
import { foreignFormat, imageFormat, isPicture } from '../../src/vision/image-format.ts';

const box = (...brands: string[]) =>
  Buffer.from(
    `\0\0\0${String.fromCharCode(8 + 4 * (brands.length + 1))}ftyp${brands[0]}\0\0\0\0${brands.slice(1).join('')}`,
    'latin1',
  );
const bytes = (text: string) => Buffer.from(text, 'latin1');

test('formats that are not decoded are named, with the way out, whatever the file’s name', async () => {
  const cases: [string, Buffer][] = [
    ['HEIC', box('heic', 'mif1', 'heic')],
    ['HEIC', box('mif1', 'mif1', 'heix')],
    ['HEIC', box('msf1', 'hevc')],
    ['JPEG XL', bytes('\xff\x0a\xfa')],
    ['JPEG XL', bytes('\0\0\0\x0cJXL \r\n\x87\n')],
    ['JPEG 2000', bytes('\0\0\0\x0cjP  \r\n\x87\n')],
    ['JPEG 2000', bytes('\xff\x4f\xff\x51\0')],
    ['SVG', bytes('<?xml version="1.0"?>\n<!-- a -->\n<svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['SVG', bytes('\xef\xbb\xbf<svg width="1">')],
    ['PDF', bytes('%PDF-1.7')],
    ['ICO', bytes('\0\0\x01\0\x01\0')],
    ['PSD', bytes('8BPS\0\x01')],
    ['DICOM', bytes(`${'\0'.repeat(128)}DICM`)],
    ['camera raw', bytes('II*\0\x10\0\0\0CR\x02\0')],
    ['camera raw', box('crx ', 'isom')],
  ];
  for (const [name, head] of cases) {
    assert.equal(foreignFormat(head), name);
    assert.equal(imageFormat(head), null, name);
    assert.ok(isPicture(head), name);
    await assert.rejects(decodeImage(head), new RegExp(`^Error: ${name} .*convert it to JPEG`));
  }
});

test('AVIF is told from HEIC by its brands', () => {
  assert.equal(imageFormat(box('avif', 'avif', 'mif1')), 'avif');
  assert.equal(imageFormat(box('mif1', 'mif1', 'avif')), 'avif');
  assert.equal(imageFormat(box('mp42', 'isom')), null);
});

test('a text that begins as a bitmap would is none', () => {
  for (const text of ['BMW, 3 series, 2019', 'P5 is a number', 'P7\n', 'BM', '', 'II', 'hello']) {
    const isPnm = text.startsWith('P5');
    assert.equal(imageFormat(Buffer.from(text)), isPnm ? 'pnm' : null, text);
  }
});

test('what came in place of an image is named', async () => {
  await assert.rejects(
    decodeImage(bytes('version https://git-lfs.github.com/spec/v1\noid sha256:0\n')),
    /git lfs pull/,
  );
  await assert.rejects(decodeImage(bytes('<!DOCTYPE html><title>404')), /a web page/);
});
