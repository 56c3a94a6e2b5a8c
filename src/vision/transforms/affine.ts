// Affine maps of sampling coordinates, 2x3 in rows [a, b, c, d, e, f]: x' = a x + b y + c, y' = d x + e y + f,
// with x and y in -1..1. Same matrices as fastai1 vision/transform.py.

export type Affine = readonly [number, number, number, number, number, number];

/** Rotation of the grid by `degrees`. */
export function rotate(degrees: number): Affine {
  const angle = (degrees * Math.PI) / 180;
  const [cos, sin] = [Math.cos(angle), Math.sin(angle)];
  return [cos, -sin, 0, sin, cos, 0];
}

/** Zoom by `scale` about the point at row_pct, col_pct of the image. */
export function zoom(scale: number, rowPct: number, colPct: number): Affine {
  const s = 1 - 1 / scale;
  return [1 / scale, 0, s * (2 * colPct - 1), 0, 1 / scale, s * (2 * rowPct - 1)];
}

/** Squish along x for a scale up to 1, along y above. */
export function squish(scale: number, rowPct: number, colPct: number): Affine {
  return scale <= 1
    ? [scale, 0, (1 - scale) * (2 * colPct - 1), 0, 1, 0]
    : [1, 0, 0, 0, 1 / scale, (1 - 1 / scale) * (2 * rowPct - 1)];
}

/** One of the 8 symmetries of the square: bit 0 flips x, bit 1 flips y, bit 2 swaps them. */
export function dihedralAffine(k: number): Affine {
  const x = k & 1 ? -1 : 1;
  const y = k & 2 ? -1 : 1;
  return k & 4 ? [0, x, 0, y, 0, 0] : [x, 0, 0, 0, y, 0];
}

/** a after b, as the matrix product a b. */
export function multiply(a: Affine, b: Affine): Affine {
  return [
    a[0] * b[0] + a[1] * b[3],
    a[0] * b[1] + a[1] * b[4],
    a[0] * b[2] + a[1] * b[5] + a[2],
    a[3] * b[0] + a[4] * b[3],
    a[3] * b[1] + a[4] * b[4],
    a[3] * b[2] + a[4] * b[5] + a[5],
  ];
}

/** The product as fastai applies it to a grid [h, w]: its off-diagonal takes the aspect ratio, once. */
export function onGrid(m: Affine, h: number, w: number): Affine {
  return [m[0], (m[1] * h) / w, m[2], (m[3] * w) / h, m[4], m[5]];
}
