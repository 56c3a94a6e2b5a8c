import type { FloatType } from './stored-tensor.ts';

/** Little-endian floats of any width as float32; float64 is rounded. */
export function decodeFloats(bytes: Uint8Array, type: FloatType): Float32Array {
  // a copy, because a typed array begins at a multiple of its width
  const copy = new Uint8Array(bytes).buffer;
  switch (type) {
    case 'f32':
      return new Float32Array(copy);
    case 'f64':
      return Float32Array.from(new Float64Array(copy));
    case 'bf16': {
      const wide = Uint32Array.from(new Uint16Array(copy), (half) => half << 16);
      return new Float32Array(wide.buffer);
    }
    case 'f16':
      return Float32Array.from(new Uint16Array(copy), halfToFloat);
  }
}

/** IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of fraction. */
function halfToFloat(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
