import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeImage } from '../../src/vision/decode.ts';
import { Undecodable } from '../../src/vision/undecodable.ts';

const pnm = (header: string, bytes: number[] = []) =>
  Buffer.concat([Buffer.from(header), Buffer.from(bytes)]);
const pixels = async (bytes: Buffer) => [...(await decodeImage(bytes)).pixels];
const grey = (...levels: number[]) => levels.flatMap((level) => [level, level, level]);

test('bitmaps: 1 is black, rows end with a whole byte, text may do without blanks', async () => {
  assert.deepEqual(
    await pixels(pnm('P4 3 2\n', [0b10100000, 0b01000000])),
    grey(0, 255, 0, 255, 0, 255),
  );
  assert.deepEqual(await pixels(pnm('P1\n3 2\n1 0 1\n010\n')), grey(0, 255, 0, 255, 0, 255));
});

test('grey and colour, as bytes and as text, with comments', async () => {
  assert.deepEqual(await pixels(pnm('P5\n# by hand\n2 1\n255\n', [7, 200])), grey(7, 200));
  assert.deepEqual(await pixels(pnm('P2 2 1 255 7 # seven\n200\n')), grey(7, 200));
  assert.deepEqual(await pixels(pnm('P6 1 2 255\n', [1, 2, 3, 4, 5, 6])), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(await pixels(pnm('P3 1 1 255 9 8 7')), [9, 8, 7]);
});

test('samples are scaled to 8 bits by the largest that the header names', async () => {
  assert.deepEqual(await pixels(pnm('P5 3 1 15\n', [0, 7, 15])), grey(0, 119, 255));
  assert.deepEqual(await pixels(pnm('P5 2 1 65535\n', [0xff, 0xff, 0x80, 0x00])), grey(255, 128));
  assert.deepEqual(await pixels(pnm('P6 1 1 4095\n', [0x0f, 0xff, 0, 0, 0x08, 0])), [255, 0, 128]);
});

test('what is cut off, too large or no number is refused', async () => {
  const cases = [
    'P5 2 1 255\n',
    'P6 1 1',
    'P3 1 1 255 9 8',
    'P5 99999 99999 255\n',
    'P5 0 1 255\n',
    'P5 1 1 70000\n',
    'P1 2 1 1 7',
    'P2 1 1 255 x',
  ];
  for (const text of cases) await assert.rejects(decodeImage(pnm(text)), Undecodable, text);
});
