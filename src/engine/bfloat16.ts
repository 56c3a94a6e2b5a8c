/** Rounds to bfloat16, to the nearest, ties to even; NaN stays NaN. The referee of what native kernels store. */
export function roundToBf16(values: Float32Array, out: Uint16Array): void {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] ?? 0;
    const upper = word >>> 16;
    const nan = (word & 0x7fffffff) > 0x7f800000;
    out[i] = nan ? upper | 0x40 : (word + 0x7fff + (upper & 1)) >>> 16;
  }
}

/** The float32 values of bfloat16 ones. */
export function fromBf16(values: Uint16Array): Float32Array {
  const bits = new Uint32Array(values.length);
  for (let i = 0; i < bits.length; i++) bits[i] = (values[i] as number) << 16;
  return new Float32Array(bits.buffer);
}
