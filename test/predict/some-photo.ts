import sharp from 'sharp';
import { keyedRandom } from '../../src/training/random.ts';

/** An encoded image of its own for each seed: waves of colour with noise on them. */
export function somePhoto(
  { width, height, seed }: { width: number; height: number; seed: number },
  format: 'jpeg' | 'png' | 'webp' = 'jpeg',
): Promise<Buffer> {
  const random = keyedRandom(31, seed);
  const [a, b, c] = [random.next(), random.next(), random.next()];
  const pixels = new Uint8Array(width * height * 3);
  for (let i = 0; i < pixels.length; i++) {
    const [x, y] = [((i / 3) | 0) % width, (i / 3 / width) | 0];
    const wave = Math.sin((x * a + y * b) / 9 + (i % 3) * 2 + 6 * c);
    pixels[i] = 128 + 90 * wave + 30 * (random.next() - 0.5);
  }
  const image = sharp(pixels, { raw: { width, height, channels: 3 } });
  return image.toFormat(format).toBuffer();
}
