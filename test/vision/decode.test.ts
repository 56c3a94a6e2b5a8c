import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { keyedRandom } from '../../src/training/random.ts';
import { decodeImage } from '../../src/vision/decode.ts';
import { decodeSmallPng } from '../../src/vision/decode-png.ts';
import { orientationOf } from '../../src/vision/orientation.ts';
import { Undecodable } from '../../src/vision/undecodable.ts';

function noise(w: number, h: number, channels: 1 | 2 | 3 | 4, seed = 1): Buffer {
  const random = keyedRandom(seed);
  // smooth enough that an encoder tries every filter
  return Buffer.from(
    Array.from({ length: w * h * channels }, (_, i) => (i % 200) + random.below(40)),
  );
}
const raw = (w: number, h: number, channels: 1 | 2 | 3 | 4) =>
  sharp(noise(w, h, channels), { raw: { width: w, height: h, channels } });

for (const channels of [1, 3] as const) {
  test(`a small PNG of ${channels} channels is decoded without sharp, to the same pixels`, async () => {
    for (const adaptiveFiltering of [false, true]) {
      const colourspace = channels === 1 ? 'b-w' : 'srgb';
      const bytes = await raw(29, 17, channels)
        .toColourspace(colourspace)
        .png({ adaptiveFiltering, compressionLevel: 9 })
        .toBuffer();
      const small = decodeSmallPng(bytes);
      assert.ok(small, 'not taken for a small PNG');
      const expected = await sharp(bytes).toColourspace('srgb').raw().toBuffer();
      assert.deepEqual([small.h, small.w], [17, 29]);
      assert.deepEqual(Buffer.from(small.pixels), expected);
    }
  });
}

test('any damage to a small PNG is left to sharp, which refuses it', async () => {
  const bytes = await raw(16, 16, 3).png().toBuffer();
  for (const at of [10, 20, 25, 50, bytes.length - 20, bytes.length - 6]) {
    const damaged = Buffer.from(bytes);
    damaged[at] = (damaged[at] ?? 0) ^ 0x55;
    assert.equal(decodeSmallPng(damaged), null, `byte ${at}`);
  }
  assert.equal(decodeSmallPng(bytes.subarray(0, bytes.length - 16)), null);
});

test('grey is replicated, alpha dropped, 16 bits scaled to 8', async () => {
  const grey = await decodeImage(await raw(4, 3, 1).toColourspace('b-w').jpeg().toBuffer());
  assert.equal(grey.pixels.length, 4 * 3 * 3);
  for (let i = 0; i < grey.pixels.length; i += 3) {
    assert.equal(grey.pixels[i], grey.pixels[i + 1]);
    assert.equal(grey.pixels[i], grey.pixels[i + 2]);
  }
  const rgba = noise(5, 4, 4);
  const dropped = await decodeImage(await raw(5, 4, 4).png().toBuffer());
  assert.deepEqual(
    [...dropped.pixels.subarray(0, 6)],
    [...rgba.subarray(0, 3), ...rgba.subarray(4, 7)],
  );
  const deep = await decodeImage(await raw(5, 4, 3).toColourspace('rgb16').png().toBuffer());
  noise(5, 4, 3).forEach((value, i) => {
    assert.ok(Math.abs((deep.pixels[i] ?? 0) - value) <= 1);
  });
});

test('EXIF orientation is told and not applied', async () => {
  const bytes = await raw(6, 4, 3).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const { w, h } = await decodeImage(bytes);
  assert.deepEqual([w, h], [6, 4]);
  assert.equal(await orientationOf(bytes), 6);
  assert.equal(await orientationOf(await raw(6, 4, 3).jpeg().toBuffer()), 1);
});

test('of an animation the first frame counts', async () => {
  const frames = await raw(8, 24, 3)
    .gif({ delay: [10, 10, 10], loop: 0 })
    .toBuffer();
  const { w, h } = await decodeImage(frames);
  assert.deepEqual([w, h], [8, 24]);
});

test('what is no image is refused by its first bytes, SVG too', async () => {
  for (const text of ['<svg xmlns="http://www.w3.org/2000/svg"/>', '%PDF-1.4', 'BM', '<html>']) {
    await assert.rejects(decodeImage(Buffer.from(text)), Undecodable);
  }
  await assert.rejects(decodeImage(Buffer.alloc(0)), /empty/);
});

test('a JPEG with a broken EXIF block or a mark cut short is taken, one whose pixels are cut off is not', async () => {
  const whole = await raw(40, 30, 3).withMetadata({ orientation: 6 }).jpeg().toBuffer();
  const plain = await decodeImage(whole);
  const noise = Buffer.from(whole);
  const exif = noise.indexOf('Exif');
  noise.fill(0xff, exif + 6, exif + 30);
  const mark = Buffer.from([0xff, 0xee, 0, 5, 0x41, 0x64, 0x6f]);
  const short = Buffer.concat([whole.subarray(0, 2), mark, whole.subarray(2)]);
  for (const bytes of [noise, short]) {
    assert.deepEqual((await decodeImage(bytes)).pixels, plain.pixels);
    await orientationOf(bytes);
  }
  for (const share of [0.5, 0.9, 0.99]) {
    const cut = whole.subarray(0, Math.floor(whole.length * share));
    await assert.rejects(decodeImage(cut), Undecodable, `${share}`);
  }
});
