import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeImage } from '../../src/vision/decode.ts';
import { Undecodable } from '../../src/vision/undecodable.ts';

type Bmp = {
  w?: number;
  h: number;
  bits: number;
  rows: number[];
  compression?: number;
  palette?: number[];
  masks?: number[];
  size?: number;
};

function bmp({
  w = 2,
  h,
  bits,
  rows,
  compression = 0,
  palette = [],
  masks = [],
  size = 40,
}: Bmp): Buffer {
  const header = Buffer.alloc(14 + size);
  const tail = Buffer.alloc(4 * masks.length);
  masks.forEach((mask, i) => {
    tail.writeUInt32LE(mask, 4 * i);
  });
  header.write('BM');
  header.writeUInt32LE(14 + size + tail.length + palette.length, 10);
  header.writeUInt32LE(size, 14);
  if (size === 12) {
    header.writeUInt16LE(w, 18);
    header.writeUInt16LE(h, 20);
    header.writeUInt16LE(1, 22);
    header.writeUInt16LE(bits, 24);
  } else {
    header.writeInt32LE(w, 18);
    header.writeInt32LE(h, 22);
    header.writeUInt16LE(1, 26);
    header.writeUInt16LE(bits, 28);
    header.writeUInt32LE(compression, 30);
    header.writeUInt32LE(palette.length / 4, 46);
  }
  return Buffer.concat([header, tail, Buffer.from(palette), Buffer.from(rows)]);
}
const pixels = async (image: Bmp) => [...(await decodeImage(bmp(image))).pixels];
// blue, green, red, and a byte of nothing
const palette = [3, 2, 1, 0, 30, 20, 10, 0];
const [zero, one] = [
  [1, 2, 3],
  [10, 20, 30],
];

test('24 bits: rows from the bottom up, blue first, filled up to four bytes', async () => {
  const rows = [1, 2, 3, 4, 5, 6, 0, 0, 7, 8, 9, 10, 11, 12, 0, 0];
  assert.deepEqual(await pixels({ h: 2, bits: 24, rows }), [9, 8, 7, 12, 11, 10, 3, 2, 1, 6, 5, 4]);
  assert.deepEqual(
    await pixels({ h: -2, bits: 24, rows }),
    [3, 2, 1, 6, 5, 4, 9, 8, 7, 12, 11, 10],
  );
});

test('palettes of 1, 4 and 8 bits, and OS/2’s of three bytes a colour', async () => {
  const expected = [...one, ...zero];
  assert.deepEqual(await pixels({ h: 1, bits: 1, rows: [0b10000000, 0, 0, 0], palette }), expected);
  assert.deepEqual(await pixels({ h: 1, bits: 4, rows: [0x10, 0, 0, 0], palette }), expected);
  assert.deepEqual(await pixels({ h: 1, bits: 8, rows: [1, 0, 0, 0], palette }), expected);
  const small = [3, 2, 1, 30, 20, 10];
  assert.deepEqual(
    await pixels({ h: 1, bits: 1, rows: [0b10000000, 0, 0, 0], palette: small, size: 12 }),
    expected,
  );
});

test('16 bits are scaled to 8 as in Pillow, by 5 bits each or by the masks of the header', async () => {
  // 31 to 255; 16 * 255 / 31 is 131.6
  assert.deepEqual(
    await pixels({ h: 1, bits: 16, rows: [0x00, 0x7c, 0x10, 0x02] }),
    [255, 0, 0, 0, 131, 131],
  );
  const masks = [0xf800, 0x7e0, 0x1f];
  assert.deepEqual(
    await pixels({ h: 1, bits: 16, compression: 3, masks, rows: [0xe0, 0x07, 0x1f, 0xf8] }),
    [0, 255, 0, 255, 0, 255],
  );
});

test('32 bits: the fourth byte is dropped', async () => {
  assert.deepEqual(
    await pixels({ h: 1, bits: 32, rows: [1, 2, 3, 0, 4, 5, 6, 255] }),
    [3, 2, 1, 6, 5, 4],
  );
});

test('run lengths: runs, single indices, ends of lines and jumps', async () => {
  const lines = [2, 1, 0, 0, 0, 3, 0, 1, 0, 0, 0, 0, 0, 1];
  assert.deepEqual(await pixels({ w: 3, h: 2, bits: 8, compression: 1, palette, rows: lines }), [
    ...[...zero, ...one, ...zero],
    ...[...one, ...one, ...zero],
  ]);
  const jump = [0, 2, 1, 1, 1, 1, 0, 1];
  assert.deepEqual(await pixels({ h: 2, bits: 8, compression: 1, palette, rows: jump }), [
    ...[...zero, ...one],
    ...[...zero, ...zero],
  ]);
  assert.deepEqual(
    await pixels({ h: 1, bits: 4, compression: 2, palette, rows: [2, 0x10, 0, 1] }),
    [...one, ...zero],
  );
});

test('what is cut off, too large or not understood is refused', async () => {
  const cases: [Bmp, RegExp][] = [
    [{ h: 2, bits: 24, rows: [1, 2, 3, 4, 5, 6, 0, 0] }, /cut off/],
    [{ h: 1, bits: 8, compression: 1, palette, rows: [2] }, /cut off/],
    [{ w: 100_000, h: 100_000, bits: 24, rows: [] }, /megapixels/],
    [{ w: 0, h: 1, bits: 24, rows: [] }, /0x1/],
    [{ h: 1, bits: 24, compression: 4, rows: [] }, /compression 4/],
    [{ h: 1, bits: 7, rows: [] }, /7 bits/],
  ];
  for (const [image, words] of cases) {
    await assert.rejects(
      decodeImage(bmp(image)),
      (error) => error instanceof Undecodable && words.test(error.message),
    );
  }
});
