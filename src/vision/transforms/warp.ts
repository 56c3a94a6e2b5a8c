/** x' = (a x + b y + c) / (g x + h y + 1), y' = (d x + e y + f) / (g x + h y + 1), as [a..h]. */
export type Warp = readonly [number, number, number, number, number, number, number, number];

const corners = [
  [-1, -1],
  [-1, 1],
  [1, -1],
  [1, 1],
] as const;

/** Where fastai's symmetric_warp of these magnitudes moves the corners (-1,-1), (-1,1), (1,-1), (1,1). */
export function warpTargets(magnitude: readonly number[]): [number, number][] {
  const [m0 = 0, m1 = 0, m2 = 0, m3 = 0] = magnitude;
  return [
    [-1 - m3, -1 - m1],
    [-1 - m2, 1 + m1],
    [1 + m3, -1 - m0],
    [1 + m2, 1 + m0],
  ];
}

/** The coefficients that take the moved corners back, for every point of the sampling grid. */
export function symmetricWarp(magnitude: readonly number[]): Warp {
  const rows: number[][] = [];
  warpTargets(magnitude).forEach(([x, y], i) => {
    const [u, v] = corners[i] ?? [0, 0];
    rows.push([x, y, 1, 0, 0, 0, -u * x, -u * y, u]);
    rows.push([0, 0, 0, x, y, 1, -v * x, -v * y, v]);
  });
  return solve(rows) as unknown as Warp;
}

/** A point moved by a warp. */
export function warpPoint(c: Warp, x: number, y: number): [number, number] {
  const w = c[6] * x + c[7] * y + 1;
  return [(c[0] * x + c[1] * y + c[2]) / w, (c[3] * x + c[4] * y + c[5]) / w];
}

/** Gauss-Jordan with partial pivoting on n rows of n + 1. */
function solve(rows: number[][]): number[] {
  const n = rows.length;
  const at = (row: number, column: number) => rows[row]?.[column] ?? 0;
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let row = i + 1; row < n; row++) {
      if (Math.abs(at(row, i)) > Math.abs(at(pivot, i))) pivot = row;
    }
    [rows[i], rows[pivot]] = [rows[pivot] ?? [], rows[i] ?? []];
    const scale = at(i, i);
    rows[i] = (rows[i] ?? []).map((value) => value / scale);
    for (let row = 0; row < n; row++) {
      const factor = at(row, i);
      if (row !== i) rows[row] = (rows[row] ?? []).map((v, column) => v - factor * at(i, column));
    }
  }
  return rows.map((row) => row[n] ?? 0);
}
