import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { decodeImage } from '../../src/vision/decode.ts';
import type { DecodedImage } from '../../src/vision/decoded-image.ts';
import { orientationOf, turned } from '../../src/vision/orientation.ts';

/** 3x2, each pixel another colour, the colours exact in lossless formats. */
const stored: DecodedImage = {
  pixels: Uint8Array.from({ length: 18 }, (_, i) => 10 * i),
  w: 3,
  h: 2,
};
const pixelsOf = ({ pixels, w, h }: DecodedImage) =>
  Array.from({ length: h }, (_, y) =>
    Array.from({ length: w }, (_, x) => (pixels[(y * w + x) * 3] ?? 0) / 30),
  );
/** The upright rows of pixels 0 1 2 over 3 4 5, by what EXIF says row 0 and column 0 of the stored ones are. */
const upright: Record<number, number[][]> = {
  1: [
    [0, 1, 2],
    [3, 4, 5],
  ],
  2: [
    [2, 1, 0],
    [5, 4, 3],
  ],
  3: [
    [5, 4, 3],
    [2, 1, 0],
  ],
  4: [
    [3, 4, 5],
    [0, 1, 2],
  ],
  5: [
    [0, 3],
    [1, 4],
    [2, 5],
  ],
  6: [
    [3, 0],
    [4, 1],
    [5, 2],
  ],
  7: [
    [5, 2],
    [4, 1],
    [3, 0],
  ],
  8: [
    [2, 5],
    [1, 4],
    [0, 3],
  ],
};
const formats: Record<string, (image: Sharp) => Sharp> = {
  png: (image) => image.png(),
  webp: (image) => image.webp({ lossless: true }),
  tiff: (image) => image.tiff({ compression: 'lzw' }),
};

for (const [format, encode] of Object.entries(formats)) {
  test(`${format}: all eight orientations are told, not applied by decoding, and right when applied`, async () => {
    for (const [name, expected] of Object.entries(upright)) {
      const orientation = Number(name);
      const raw = { width: 3, height: 2, channels: 3 as const };
      const image = sharp(stored.pixels, { raw }).withMetadata({ orientation });
      const bytes = await encode(image).toBuffer();
      assert.equal(await orientationOf(bytes), orientation);
      const decoded = await decodeImage(bytes);
      assert.deepEqual(pixelsOf(decoded), upright[1]);
      assert.deepEqual(pixelsOf(await turned(decoded, orientation)), expected, name);
    }
  });
}

// 24x16, red to the left and green above; written by Pillow with irot, and with irot and imir
const rotated =
  'AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAD1bWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAEdAAAAKgAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAAB0aXBycAAAAFRpcGNvAAAAFGlzcGUAAAAAAAAAGAAAABAAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBIAAAAAAAE2NvbHJuY2x4AAEADQAGgAAAAAlpcm90AwAAABhpcG1hAAAAAAAAAAEAAQUBAoMEhQAAADJtZGF0EgAKCDgQ7+wgIaDSMhxEAADcgpnrmp0LhLPM3537G78cHLDnKlK1ZScQ';
const mirrored =
  'AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUEAAAD/bWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAAAAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAEnAAAAKgAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFDb2xvcgAAAAB+aXBycAAAAF1pcGNvAAAAFGlzcGUAAAAAAAAAGAAAABAAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBIAAAAAAAE2NvbHJuY2x4AAEADQAGgAAAAAlpcm90AwAAAAlpbWlyAAAAABlpcG1hAAAAAAAAAAEAAQYBAoMEhYYAAAAybWRhdBIACgg4EO/sICGg0jIcRAAA3IKZ65qdC4SzzN+d+xu/HByw5ypStWUnEA==';

test('AVIF: what irot and imir turn is undone, so that the stored pixels come as of any format', async () => {
  const found = new Map<string, number>();
  for (const [name, base64] of Object.entries({ rotated, mirrored })) {
    for (let quarters = 0; quarters < 4; quarters++) {
      for (const axis of name === 'mirrored' ? [0, 1] : [0]) {
        const bytes = Buffer.from(base64, 'base64');
        bytes[bytes.indexOf('irot') + 4] = quarters;
        if (name === 'mirrored') bytes[bytes.indexOf('imir') + 4] = axis;
        const { pixels, w, h } = await decodeImage(bytes);
        const key = `${name} ${quarters} ${axis}`;
        assert.deepEqual([w, h], [24, 16], key);
        const at = (x: number, y: number) =>
          [...pixels.subarray((y * w + x) * 3, (y * w + x) * 3 + 2)].map((level) => level > 128);
        assert.deepEqual(
          [at(2, 2), at(21, 2), at(2, 13)],
          [
            [true, true],
            [false, true],
            [true, false],
          ],
          key,
        );
        found.set(key, await orientationOf(bytes));
      }
    }
  }
  // as Pillow's plugin names them
  assert.deepEqual(
    [0, 1, 2, 3].map((quarters) => found.get(`rotated ${quarters} 0`)),
    [1, 8, 3, 6],
  );
  assert.equal(found.get('mirrored 3 0'), 7);
});
