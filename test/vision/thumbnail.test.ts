import assert from 'node:assert/strict';
import { test } from 'node:test';
import sharp from 'sharp';
import { keyedRandom } from '../../src/training/random.ts';
import { imagenetStats } from '../../src/vision/normalize.ts';
import { normalizeInPlace } from '../../src/vision/render-batch.ts';
import { heatImage, thumbnail } from '../../src/vision/thumbnail.ts';

async function decoded(uri: string) {
  const bytes = Buffer.from(uri.slice(uri.indexOf(',') + 1), 'base64');
  const { format } = await sharp(bytes).metadata();
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  assert.ok(uri.startsWith(`data:image/${format};base64,`));
  return { ...info, format, data };
}

test('a small image comes back to the byte, normalised or not', async () => {
  const random = keyedRandom(1);
  const bytes = Uint8Array.from({ length: 20 * 28 * 3 }, () => random.below(256));
  for (const normalize of [null, imagenetStats]) {
    const pixels = Float32Array.from(bytes, (byte) => byte / 255);
    if (normalize) normalizeInPlace(pixels, normalize);
    const image = await decoded(await thumbnail(pixels, { height: 20, width: 28 }, normalize));
    assert.deepEqual([image.format, image.width, image.height], ['png', 28, 20]);
    assert.deepEqual([...image.data], [...bytes]);
  }
});

test('a large image is made at most 200 px, in its shape; values outside of 0..1 are cut', async () => {
  const pixels = Float32Array.from({ length: 120 * 300 * 3 }, (_, i) => (i % 3 === 0 ? 7 : -7));
  const image = await decoded(await thumbnail(pixels, { height: 120, width: 300 }, null));
  assert.deepEqual([image.format, image.width, image.height], ['jpeg', 200, 80]);
  const [r = 0, g = 0, b = 0] = image.data;
  assert.ok(r > 240 && g < 15 && b < 15, `${r} ${g} ${b}`);
});

test('heat is clear where it is cold, and its warmest place lies where the map has it', async () => {
  const values = new Float32Array(7 * 5);
  values[2 * 5 + 3] = 0.01;
  const { data, width, height, channels } = await decoded(
    await heatImage({ height: 7, width: 5, values }),
  );
  assert.deepEqual([width, height, channels], [45, 63, 4]);
  const at = (x: number, y: number) => [
    ...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4),
  ];
  assert.equal(at(0, 0)[3], 0);
  assert.deepEqual(at(3 * 9 + 4, 2 * 9 + 4), [255, 220, 60, 190]);
});

test('a map without any heat is clear all over', async () => {
  const cold = await decoded(
    await heatImage({ height: 4, width: 4, values: new Float32Array(16) }),
  );
  assert.ok(cold.data.every((value, i) => i % 4 < 3 || value === 0));
});
