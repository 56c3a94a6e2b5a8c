// Damages weights files at random, and holds the reader to its promise: an error, or exactly the weights that
// were saved where the damage lies in what says nothing. Only a value of a float in a container without checksums
// can change unseen; then it is that value and no other.

import assert from 'node:assert/strict';
import { Problem } from '../../src/domain/problem.ts';
import { fitWeights } from '../../src/models/fit-weights.ts';
import { writeSafetensors } from '../../src/models/weights/safetensors.ts';
import { readWeights } from '../../src/models/weights/weights-file.ts';
import { keyedRandom } from '../../src/training/random.ts';
import { torchLegacy, torchZip } from '../fixtures/torch-file.ts';
import { torchvisionBody } from '../fixtures/torchvision-body.ts';

const arch = 'squeezenet1_1';
const rssGrowthMax = 400 * 2 ** 20;

/** Reads `runs` damaged files of each kind; answers how many were refused. */
export async function readDamaged({ runs, seed }: { runs: number; seed: number }) {
  const saved = torchvisionBody(arch);
  const valuesOf = (bytes: Uint8Array) => new Float32Array(new Uint8Array(bytes).buffer);
  const tensors = [...saved].map(([name, { shape, bytes }]) => ({
    name,
    shape,
    values: valuesOf(bytes),
  }));
  const kinds = [
    { name: 'zip', file: torchZip(saved), checked: true },
    { name: 'legacy', file: torchLegacy(saved), checked: false },
    { name: 'safetensors', file: Buffer.from(writeSafetensors(tensors)), checked: false },
  ];
  const whole = await valuesIn(kinds[0]?.file ?? Buffer.alloc(0));
  const before = process.memoryUsage().rss;
  const refused: Record<string, number> = {};
  let rssMax = before;
  for (const [k, { name, file, checked }] of kinds.entries()) {
    refused[name] = 0;
    for (let run = 0; run < runs; run++) {
      const damage = damaged(file, seed, k, run);
      const read = await valuesIn(damage.file).catch((error: unknown) => {
        assert.ok(error instanceof Problem, `${name}, run ${run}, ${damage.how}: ${error}`);
        assert.equal(error.code, 'weights_invalid');
        return null;
      });
      rssMax = Math.max(rssMax, process.memoryUsage().rss);
      if (read === null) refused[name] += 1;
      else {
        const changed = changedValues(whole, read);
        const allowed = checked ? 0 : damage.bytesChanged;
        assert.ok(
          changed <= allowed,
          `${name}, run ${run}, ${damage.how}: ${changed} values changed unseen`,
        );
      }
    }
  }
  assert.ok(rssMax - before < rssGrowthMax, `memory grew by ${(rssMax - before) / 2 ** 20} MiB`);
  return refused;
}

async function valuesIn(file: Buffer): Promise<Map<string, Float32Array>> {
  const { body } = fitWeights(arch, (await readWeights(file)).tensors);
  return new Map([...body].map(([name, tensor]) => [name, tensor.values()]));
}

function changedValues(a: Map<string, Float32Array>, b: Map<string, Float32Array>): number {
  let count = 0;
  for (const [name, values] of a) {
    const others = new Uint32Array(b.get(name)?.buffer ?? new ArrayBuffer(0));
    const bits = new Uint32Array(values.buffer);
    if (Buffer.compare(new Uint8Array(bits.buffer), new Uint8Array(others.buffer)) === 0) continue;
    bits.forEach((value, i) => {
      if (value !== others[i]) count++;
    });
  }
  return count;
}

type Damage = { file: Buffer; how: string; bytesChanged: number };

function damaged(file: Buffer, ...key: number[]): Damage {
  const random = keyedRandom(...(key as [number, ...number[]]));
  // what stands at the two ends says what the rest is: half of the damage goes there
  const place = () => {
    const edge = Math.min(file.length, 16_384);
    const where = random.below(4);
    if (where === 0) return random.below(edge);
    if (where === 1) return file.length - 1 - random.below(edge);
    return random.below(file.length);
  };
  switch (random.below(5)) {
    case 0: {
      const length = place();
      return { file: file.subarray(0, length), how: `cut at ${length}`, bytesChanged: 0 };
    }
    case 1: {
      const copy = Buffer.from(file);
      const bits = 1 + random.below(8);
      for (let i = 0; i < bits; i++) {
        const at = place();
        copy[at] = (copy[at] ?? 0) ^ (1 << random.below(8));
      }
      return { file: copy, how: `${bits} bits flipped`, bytesChanged: bits };
    }
    case 2: {
      const copy = Buffer.from(file);
      const at = Math.min(place(), file.length - 8);
      const lies = [0n, 1n, 2n ** 31n - 1n, 2n ** 32n - 1n, 2n ** 63n - 1n, 2n ** 64n - 1n];
      copy.writeBigUInt64LE(lies[random.below(lies.length)] ?? 0n, at);
      return { file: copy, how: `a lying length at ${at}`, bytesChanged: 8 };
    }
    case 3: {
      const from = place();
      const length = 1 + random.below(64);
      const parts = [file.subarray(0, from), file.subarray(from + length)];
      return {
        file: Buffer.concat(parts),
        how: `${length} bytes lost at ${from}`,
        bytesChanged: 0,
      };
    }
    default: {
      const at = place();
      const more = Buffer.from(
        Array.from({ length: 1 + random.below(64) }, () => random.below(256)),
      );
      const parts = [file.subarray(0, at), more, file.subarray(at)];
      return {
        file: Buffer.concat(parts),
        how: `${more.length} bytes put in at ${at}`,
        bytesChanged: 0,
      };
    }
  }
}
