// What the model saw, and where it looked, as small pictures.

import sharp from 'sharp';
import type { ChannelStats } from './normalize.ts';

const thumbnailMax = 200;
/** Up to this size a picture is kept to the pixel. */
const losslessMax = 64;
const heatMax = 64;

/** [H,W,3] as the loader renders it -> a data URI of a picture of at most 200 px. */
export async function thumbnail(
  pixels: Float32Array,
  { height, width }: { height: number; width: number },
  normalize: ChannelStats | null,
): Promise<string> {
  const { mean, std } = normalize ?? { mean: [0, 0, 0], std: [1, 1, 1] };
  const bytes = Uint8Array.from(pixels, (value, i) => {
    const c = i % 3;
    const level = (value * (std[c] ?? 1) + (mean[c] ?? 0)) * 255;
    return Math.min(255, Math.max(0, Math.round(level)));
  });
  const image = sharp(bytes, { raw: { width, height, channels: 3 } });
  if (Math.max(height, width) <= losslessMax) return dataUri('png', await image.png().toBuffer());
  const bounds = { width: thumbnailMax, height: thumbnailMax };
  const small = image.resize({ ...bounds, fit: 'inside', withoutEnlargement: true });
  return dataUri('jpeg', await small.jpeg({ quality: 82 }).toBuffer());
}

/** A map [H,W] -> a data URI of a picture to lay over the image: clear where cold, its warmest place yellow. */
export async function heatImage(map: {
  height: number;
  width: number;
  values: Float32Array;
}): Promise<string> {
  const zoom = Math.max(1, Math.floor(heatMax / Math.max(map.height, map.width)));
  const [height, width] = [map.height * zoom, map.width * zoom];
  const warmest = map.values.reduce((most, value) => Math.max(most, value), 0);
  const rgba = new Uint8Array(height * width * 4);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const heat = between(map, (y + 0.5) / zoom - 0.5, (x + 0.5) / zoom - 0.5);
      rgba.set(colourOf(warmest > 0 ? heat / warmest : 0), 4 * (y * width + x));
    }
  }
  const image = sharp(rgba, { raw: { width, height, channels: 4 } });
  return dataUri('png', await image.png().toBuffer());
}

/** Bilinear, the border repeated; `y` and `x` count from the middle of the first cell. */
function between(
  { height, width, values }: { height: number; width: number; values: Float32Array },
  y: number,
  x: number,
): number {
  const [top, left] = [Math.floor(y), Math.floor(x)];
  const [down, right] = [y - top, x - left];
  const at = (row: number, column: number) => {
    const r = Math.min(height - 1, Math.max(0, row));
    return values[r * width + Math.min(width - 1, Math.max(0, column))] ?? 0;
  };
  const upper = at(top, left) * (1 - right) + at(top, left + 1) * right;
  const lower = at(top + 1, left) * (1 - right) + at(top + 1, left + 1) * right;
  return upper * (1 - down) + lower * down;
}

const ramp = [
  [70, 10, 100],
  [190, 30, 110],
  [245, 90, 40],
  [255, 220, 60],
] as const;
const alphaMax = 190;

/** Heat in 0..1 -> [r,g,b,a]. */
function colourOf(heat: number): [number, number, number, number] {
  const place = heat * (ramp.length - 1);
  const stop = Math.min(ramp.length - 2, Math.floor(place));
  const [from, to] = [ramp[stop] ?? ramp[0], ramp[stop + 1] ?? ramp[0]];
  const mix = (c: 0 | 1 | 2) => from[c] + (to[c] - from[c]) * (place - stop);
  return [mix(0), mix(1), mix(2), alphaMax * heat ** 0.7];
}

function dataUri(type: 'png' | 'jpeg', bytes: Buffer): string {
  return `data:image/${type};base64,${bytes.toString('base64')}`;
}
