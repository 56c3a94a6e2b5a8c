/** [height, width]. */
export type Hw = readonly [number, number];
export type Size = number | Hw;
export type ResizeMethod = 'crop' | 'pad' | 'squish' | 'no';

/** The size that an image is cropped to, rounded to multiples of `mult`. */
export function cropTarget(size: Size, mult = 1): [number, number] {
  const [h, w] = typeof size === 'number' ? [size, size] : size;
  const rounded = (side: number) => Math.trunc(side / mult + 0.5) * mult;
  return [rounded(h), rounded(w)];
}

/** The size before the crop: the target filled (`crop`) or fitted into (`pad`), aspect kept. */
export function resizeTarget([h, w]: Hw, [rows, columns]: Hw, fill: boolean): [number, number] {
  const ratio = fill ? Math.min(h / rows, w / columns) : Math.max(h / rows, w / columns);
  return [Math.max(1, roundHalfToEven(h / ratio)), Math.max(1, roundHalfToEven(w / ratio))];
}

/** Where a crop of `out` begins in `size`; at 1 it ends where the image does. */
export function cropOffset(size: number, out: number, pct: number): number {
  return Math.trunc((size - out + 1) * (pct === 1 ? 1 - 1e-7 : pct));
}

/** Python's round. */
function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  const half = value - floor;
  if (half !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}
