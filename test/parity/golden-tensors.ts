// How the golden files write tensors: a hash of the index instead of numbers, PyTorch's layouts.

export type Hashed = { seed: number; shape: number[]; scale: number; offset: number };
export type Nested = number | readonly Nested[];

/** hash_s of the golden README: uniform in offset +- scale, rounded to float32 once. */
export function hashed(seed: number, n: number, scale = 1, offset = 0): Float32Array {
  const start = Math.imul(seed, 0x9e3779b9) >>> 0;
  return Float32Array.from({ length: n }, (_, i) => {
    let x = (start + i) >>> 0;
    x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
    x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
    return offset + scale * (2 * (((x ^ (x >>> 16)) >>> 0) / 2 ** 32) - 1);
  });
}

/** A tensor given as its hash, or as nested numbers. */
export function tensorValues(given: Hashed | Nested): { shape: number[]; values: Float32Array } {
  if (typeof given === 'object' && 'seed' in given) {
    const n = given.shape.reduce((a, b) => a * b, 1);
    return { shape: given.shape, values: hashed(given.seed, n, given.scale, given.offset) };
  }
  const shape: number[] = [];
  for (let at: Nested = given; typeof at !== 'number'; at = at[0] as Nested) shape.push(at.length);
  return { shape, values: Float32Array.from([given].flat(9) as number[]) };
}

/** [N,C,H,W] -> [N,H,W,C]; other ranks as they are. */
export function toNhwc({ shape, values }: { shape: number[]; values: Float32Array }) {
  if (shape.length !== 4) return { shape, values };
  const [n = 0, c = 0, h = 0, w = 0] = shape;
  return { shape: [n, h, w, c], values: Float32Array.from(permuted(values, [n, c, h * w])) };
}

/** [N,H,W,C] -> flat [N,C,H,W]; other ranks as they are. */
export function toNchw(shape: number[], values: ArrayLike<number>): ArrayLike<number> {
  if (shape.length !== 4) return values;
  const [n = 0, h = 0, w = 0, c = 0] = shape;
  return permuted(values, [n, h * w, c]);
}

/** [O,I,H,W] -> [H,W,I,O]. */
export function toHwio({ shape, values }: { shape: number[]; values: Float32Array }) {
  const [o = 0, i = 0, h = 0, w = 0] = shape;
  return {
    shape: [h, w, i, o],
    values: Float32Array.from(permuted(values, [1, o, i * h * w], [i, h * w])),
  };
}

/** [H,W,I,O] -> flat [O,I,H,W]. */
export function toOihw([h = 0, w = 0, i = 0, o = 0]: number[], values: ArrayLike<number>) {
  const result = new Float64Array(values.length);
  let at = 0;
  for (let tap = 0; tap < h * w; tap++)
    for (let input = 0; input < i; input++)
      for (let out = 0; out < o; out++) {
        result[(out * i + input) * h * w + tap] = values[at++] as number;
      }
  return result;
}

/** [a,b,c] -> [a,c,b]; with `inner` = [d,e] of c = d*e, [a,b,(d,e)] -> [a,(e,d),b]. */
function permuted(
  values: ArrayLike<number>,
  [a, b, c]: [number, number, number],
  inner?: [number, number],
) {
  const result = new Float64Array(values.length);
  const [d, e] = inner ?? [1, c];
  for (let i = 0; i < a; i++)
    for (let j = 0; j < b; j++)
      for (let k = 0; k < c; k++) {
        const place = inner ? (k % e) * d + Math.floor(k / e) : k;
        result[(i * c + place) * b + j] = values[(i * b + j) * c + k] as number;
      }
  return result;
}
