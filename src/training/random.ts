// Randomness without state to save: every number is a hash of a key such as (seed, purpose, epoch, item)
// and a counter, so whoever resumes a run asks for the same key and gets the same numbers.

/** A stream of random numbers. */
export type Random = {
  /** Uniform in [0, 1), in steps of 2^-32. */
  next(): number;
  /** Normal, mean 0 and deviation 1. */
  normal(): number;
  /** A whole number in [0, n), without bias. */
  below(n: number): number;
};

/** A bijection of 32-bit words in which every input bit moves every output bit (lowbias32). */
function mix(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return (x ^ (x >>> 15)) >>> 0;
}

/** The stream of a key of whole numbers, from its beginning; equal keys give equal streams. */
export function keyedRandom(...key: number[]): Random {
  let low = mix(0x9e3779b9 ^ key.length);
  let high = mix(0x85ebca6b + key.length);
  for (const part of key) {
    // a part may be longer than 32 bits (a timestamp, say): both halves count
    const word = mix((part >>> 0) + Math.imul(Math.floor(part / 2 ** 32) | 0, 0x27d4eb2f));
    low = mix(low ^ word);
    high = mix((high + Math.imul(word, 0x9e3779b1)) ^ low);
  }
  let counter = 0;
  const word = (): number => {
    counter = (counter + 0x9e3779b9) | 0;
    return mix(mix(counter + low) ^ high);
  };
  let spare: number | null = null;
  return {
    next: () => word() / 2 ** 32,
    normal() {
      if (spare !== null) {
        const value = spare;
        spare = null;
        return value;
      }
      // Box-Muller; 1 - u is never 0
      const radius = Math.sqrt(-2 * Math.log(1 - word() / 2 ** 32));
      const angle = (2 * Math.PI * word()) / 2 ** 32;
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    below(n) {
      const limit = 2 ** 32 - (2 ** 32 % n);
      let value = word();
      while (value >= limit) value = word();
      return value % n;
    },
  };
}

/** The whole numbers 0..n-1 in the order that the key gives them. */
export function permutation(n: number, ...key: number[]): Uint32Array {
  const random = keyedRandom(...key);
  return shuffled(n, (max) => random.below(max + 1));
}

/** Fisher-Yates from the end; `draw(max)` gives a whole number in [0, max]. */
function shuffled(n: number, draw: (max: number) => number): Uint32Array {
  const order = Uint32Array.from({ length: n }, (_, index) => index);
  for (let i = n - 1; i > 0; i--) {
    const j = draw(i);
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order;
}

/** Beta(a, b), as the ratio of two gammas. */
export function beta(random: Random, a: number, b: number): number {
  for (;;) {
    const x = gamma(random, a);
    const y = gamma(random, b);
    // both can underflow to 0 for tiny a and b
    if (x + y > 0) return x / (x + y);
  }
}

/** Gamma(shape, 1) by Marsaglia and Tsang. */
function gamma(random: Random, shape: number): number {
  if (shape < 1) return gamma(random, shape + 1) * (1 - random.next()) ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = random.normal();
    const v = (1 + c * x) ** 3;
    if (v <= 0) continue;
    if (Math.log(1 - random.next()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

const words = 624;
const shift = 397;

/** NumPy's legacy RandomState (`np.random.seed(seed)`), so that splits equal fastai's. */
export class NumpyRandom {
  private readonly state = new Uint32Array(words);
  private position = words;

  constructor(seed: number) {
    let word = seed >>> 0;
    for (let i = 0; i < words; i++) {
      this.state[i] = word;
      word = (Math.imul(1812433253, word ^ (word >>> 30)) + i + 1) >>> 0;
    }
  }

  /** `np.random.permutation(n)`. */
  permutation(n: number): Uint32Array {
    return shuffled(n, (max) => this.interval(max));
  }

  /** A whole number in [0, max]: bits masked to max's length, drawn again while too high. */
  private interval(max: number): number {
    const mask = 2 ** (32 - Math.clz32(max)) - 1;
    for (;;) {
      const value = (this.word() & mask) >>> 0;
      if (value <= max) return value;
    }
  }

  /** The next 32 bits of MT19937. */
  private word(): number {
    if (this.position === words) {
      const s = this.state;
      for (let i = 0; i < words; i++) {
        const joined = (s[i]! & 0x80000000) | (s[(i + 1) % words]! & 0x7fffffff);
        s[i] = s[(i + shift) % words]! ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
      }
      this.position = 0;
    }
    let y = this.state[this.position++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  }
}

/** One 32-bit word out of a key: the seed of a generator that lives elsewhere, such as a native kernel. */
export function hashKey(...key: number[]): number {
  return keyedRandom(...key).below(2 ** 32);
}
