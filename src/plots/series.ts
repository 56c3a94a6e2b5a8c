// Series as they are, made into series that can be drawn: finite, and not longer than a picture is wide.

import type { Point } from './chart.ts';

const pointsMax = 800;
/** Of fewer none is one of a few. */
const manyValues = 50;

/**
 * Points fit to be drawn: what is not finite is left out; of each of `most / 2` stretches the lowest and the
 * highest stay, so that no peak is lost.
 */
export function drawable(points: readonly Point[], most = pointsMax): Point[] {
  const finite = points.filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y));
  if (finite.length <= most) return finite;
  const stretch = finite.length / (most / 2);
  const kept: Point[] = [];
  for (let begin = 0; begin < finite.length; begin += stretch) {
    const part = finite.slice(Math.floor(begin), Math.floor(begin + stretch));
    let [low, high] = [0, 0];
    part.forEach(([, y], i) => {
      if (y < (part[low]?.[1] ?? y)) low = i;
      if (y > (part[high]?.[1] ?? y)) high = i;
    });
    for (const i of [...new Set([low, high])].sort((a, b) => a - b)) {
      const point = part[i];
      if (point) kept.push(point);
    }
  }
  return kept;
}

/** Where an axis may end so that a few wild values do not flatten all others: the 0.98 quantile with room above. */
export function calmMax(values: readonly number[]): number | null {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  if (sorted.length < manyValues) return null;
  const high = sorted[Math.floor(0.98 * (sorted.length - 1))];
  const last = sorted.at(-1);
  const first = sorted[0];
  if (high === undefined || last === undefined || first === undefined) return null;
  const room = high + 0.5 * (high - first);
  return last > room && room > first ? room : null;
}
