// The weights of a TF.js model: end to end, cut into shards of a size that browsers cache.

export type Weight = {
  name: string;
  shape: number[];
  dtype: 'float32' | 'int32';
  values: Float32Array | Int32Array;
};
type Shard = { name: string; bytes: Uint8Array };

/** As TensorFlow's own converter cuts them. */
const shardBytesMax = 4 * 2 ** 20;

/** One shard or more. */
export function writeShards(weights: readonly Weight[]): Shard[] {
  const all = Buffer.allocUnsafe(weights.reduce((sum, { values }) => sum + values.byteLength, 0));
  let offset = 0;
  for (const { values } of weights) {
    all.set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength), offset);
    offset += values.byteLength;
  }
  const count = Math.max(1, Math.ceil(all.length / shardBytesMax));
  return Array.from({ length: count }, (_, i) => ({
    name: `group1-shard${i + 1}of${count}.bin`,
    bytes: all.subarray(i * shardBytesMax, (i + 1) * shardBytesMax),
  }));
}

/** model.json's weightsManifest. */
export function weightsManifest(weights: readonly Weight[], shards: readonly Shard[]) {
  const listed = weights.map(({ name, shape, dtype }) => ({ name, shape, dtype }));
  return [{ paths: shards.map(({ name }) => name), weights: listed }];
}
