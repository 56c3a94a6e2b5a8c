/** Bytes that may be in use at once, granted in the order they are asked for. */
export class ByteBudget {
  private readonly max: number;
  private used = 0;
  private readonly waiting: { bytes: number; resume: () => void }[] = [];

  constructor(max: number) {
    this.max = max;
  }

  /** null when granted at once, otherwise what to wait for. More than there is waits until it is alone. */
  take(bytes: number): Promise<void> | null {
    if (this.waiting.length === 0 && this.fits(bytes)) {
      this.used += bytes;
      return null;
    }
    return new Promise((resume) => {
      this.waiting.push({ bytes, resume });
    });
  }

  give(bytes: number): void {
    this.used -= bytes;
    for (let next = this.waiting[0]; next && this.fits(next.bytes); next = this.waiting[0]) {
      this.waiting.shift();
      this.used += next.bytes;
      next.resume();
    }
  }

  private fits(bytes: number): boolean {
    return this.used === 0 || this.used + bytes <= this.max;
  }
}
