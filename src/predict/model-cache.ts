/** A copy of a model in one thread. */
export type Copy = { thread: number; model: string };
type Held = { copy: Copy; bytes: number; users: number; loaded: Promise<void> };

/** Which models are loaded where, least recently used first; above its bound it drops what nobody uses. */
export class ModelCache {
  private readonly held = new Map<string, Held>();
  private readonly bytesMax: number;
  private readonly drop: (copy: Copy) => void;

  constructor(bytesMax: number, drop: (copy: Copy) => void) {
    this.bytesMax = bytesMax;
    this.drop = drop;
  }

  has(copy: Copy): boolean {
    return this.held.has(keyOf(copy));
  }

  /**
   * Does `action` with the copy loaded: by `load`, which tells its bytes, or by whoever came before. A load that
   * fails fails for all who wait for it, and the next one tries again.
   */
  async use<T>(copy: Copy, load: () => Promise<number>, action: () => Promise<T>): Promise<T> {
    const key = keyOf(copy);
    const entry = this.held.get(key) ?? this.begin(copy, load);
    // the last of the map is the most recent
    this.held.delete(key);
    this.held.set(key, entry);
    entry.users += 1;
    try {
      await entry.loaded;
      return await action();
    } finally {
      entry.users -= 1;
      this.shrink();
    }
  }

  private begin(copy: Copy, load: () => Promise<number>): Held {
    const entry: Held = { copy, bytes: 0, users: 0, loaded: Promise.resolve() };
    entry.loaded = load().then(
      (bytes) => {
        entry.bytes = bytes;
        this.shrink();
      },
      (error) => {
        this.held.delete(keyOf(copy));
        throw error;
      },
    );
    return entry;
  }

  private shrink(): void {
    let bytes = 0;
    for (const entry of this.held.values()) bytes += entry.bytes;
    for (const [key, entry] of this.held) {
      if (bytes <= this.bytesMax) return;
      if (entry.users > 0) continue;
      this.held.delete(key);
      bytes -= entry.bytes;
      this.drop(entry.copy);
    }
  }
}

function keyOf({ thread, model }: Copy): string {
  return `${thread} ${model}`;
}
