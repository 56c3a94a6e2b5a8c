/** Float32 pixels [h, w, channels]. */
export type FloatImage = { data: Float32Array; h: number; w: number; channels: number };

/** Averages an image down to [h, w], each output over the input cells that it touches (torch's `area`). */
export function areaShrink(image: FloatImage, h: number, w: number): FloatImage {
  const { channels } = image;
  const out = new Float32Array(h * w * channels);
  for (let i = 0; i < h; i++) {
    const top = Math.floor((i * image.h) / h);
    const bottom = Math.ceil(((i + 1) * image.h) / h);
    for (let j = 0; j < w; j++) {
      const left = Math.floor((j * image.w) / w);
      const right = Math.ceil(((j + 1) * image.w) / w);
      const cells = (bottom - top) * (right - left);
      for (let c = 0; c < channels; c++) {
        let sum = 0;
        for (let y = top; y < bottom; y++) {
          for (let x = left; x < right; x++) {
            sum += image.data[(y * image.w + x) * channels + c] ?? 0;
          }
        }
        out[(i * w + j) * channels + c] = sum / cells;
      }
    }
  }
  return { data: out, h, w, channels };
}

/** A coordinate mirrored at the centres of the first and the last pixel, until it lies between them. */
export function reflect(at: number, size: number): number {
  const span = size - 1;
  if (at >= 0 && at <= span) return at;
  if (span <= 0) return 0;
  const distance = Math.abs(at) % (2 * span);
  return distance > span ? 2 * span - distance : distance;
}

/** A coordinate moved to the nearest pixel. */
export function clamp(at: number, size: number): number {
  return Math.max(0, Math.min(at, size - 1));
}
