/** Says yes at most `perSecond` times a second, by a clock in milliseconds. */
export function throttle(perSecond: number, now: () => number = Date.now): () => boolean {
  let last = Number.NEGATIVE_INFINITY;
  return () => {
    if (now() - last < 1000 / perSecond) return false;
    last = now();
    return true;
  };
}

/** Images per second over the last seconds; grows with each `add`. */
export class Rate {
  private readonly marks: [time: number, images: number][] = [];
  private total = 0;

  add(images: number): number {
    const time = performance.now();
    this.total += images;
    this.marks.push([time, this.total]);
    while (this.marks.length > 2 && time - (this.marks[0]?.[0] ?? time) > 5000) this.marks.shift();
    const [first] = this.marks;
    if (!first || time === first[0]) return 0;
    return ((this.total - first[1]) * 1000) / (time - first[0]);
  }
}
