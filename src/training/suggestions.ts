// What a range test suggests: fastai v1's two rules on its plot's series, v2's four on theirs.

import type { Suggestions } from '../domain/event.ts';

type Series = { lrs: readonly number[]; losses: readonly number[] };

/** The series that Recorder.plot shows; 0 cuts nothing. */
export function plotSeries({ lrs, losses }: Series, skipStart: number, skipEnd: number): Series {
  const end = skipEnd === 0 ? lrs.length : -skipEnd;
  return { lrs: lrs.slice(skipStart, end), losses: losses.slice(skipStart, end) };
}

/** Every rule; null where the series is too short for it. */
export function suggest(
  series: Series,
  options: { skipStart: number; skipEnd: number; numIt: number },
): Suggestions {
  const v1 = suggestV1(plotSeries(series, options.skipStart, options.skipEnd));
  const cut = plotSeries(series, Math.floor(options.numIt / 10), 5);
  const firstNan = cut.losses.findIndex(Number.isNaN);
  const end = firstNan < 0 ? cut.lrs.length : firstNan;
  const v2 = suggestV2({ lrs: cut.lrs.slice(0, end), losses: cut.losses.slice(0, end) });
  return { ...v1, ...v2 };
}

const pointsMin = 10;
/** Of the loss that the curve begins with. */
const fallMin = 0.01;

/** The rate of `max_lr: "auto"`, v2's valley; or why this curve has none, where v2 takes whatever comes. */
export function autoRate(
  series: Series,
  { numIt, valley: lr }: { numIt: number; valley: number | null },
): { rule: string; lr: number | null; reason: string | null } {
  const { losses } = plotSeries(series, Math.floor(numIt / 10), 5);
  const none = (reason: string) => ({ rule: 'valley', lr: null, reason });
  const points = losses.filter(Number.isFinite);
  if (points.length < pointsMin || lr === null) {
    return none(
      `the range test left ${points.length} points of its curve, and ${pointsMin} are needed: raise its num_it, or lower its start_lr`,
    );
  }
  let [top, fall] = [Number.NEGATIVE_INFINITY, 0];
  for (const loss of points) {
    top = Math.max(top, loss);
    fall = Math.max(fall, top - loss);
  }
  if (fall < fallMin * Math.abs(points[0] ?? 0)) {
    return none(
      'the loss of the range test is flat, so that no rate is better than another: raise its end_lr or num_it, and look at the labels',
    );
  }
  return { rule: 'valley', lr, reason: null };
}

/** v1's Recorder.plot(suggestion=True) on the cut series. */
export function suggestV1({ lrs, losses }: Series) {
  if (losses.length < 2) return { min_numerical_gradient: null, min_loss_div_10: null };
  return {
    min_numerical_gradient: lrs[argmin(gradient(losses))] ?? null,
    min_loss_div_10: (lrs[argmin(losses)] ?? Number.NaN) / 10,
  };
}

/** v2's callback/schedule.py on the cut series. */
function suggestV2(series: Series) {
  if (series.losses.length < 3) return { valley: null, slide: null, steep: null, minimum: null };
  return {
    valley: valley(series),
    slide: slide(series),
    steep: steep(series),
    minimum: (series.lrs[argmin(series.losses)] ?? Number.NaN) / 10,
  };
}

/** numpy's: central differences inside, one-sided at the ends. */
function gradient(values: readonly number[]): number[] {
  const last = values.length - 1;
  const at = (i: number) => values[i] ?? Number.NaN;
  return values.map((_, i) => {
    if (i === 0) return at(1) - at(0);
    if (i === last) return at(last) - at(last - 1);
    return (at(i + 1) - at(i - 1)) / 2;
  });
}

/** numpy's: the first minimum, or the first NaN. */
function argmin(values: readonly number[]): number {
  const nan = values.findIndex(Number.isNaN);
  if (nan >= 0) return nan;
  return values.reduce((best, value, i) => (value < (values[best] ?? value) ? i : best), 0);
}

/** A third into the longest decreasing subsequence, as v2 finds it. */
function valley({ lrs, losses }: Series): number | null {
  const lengths = new Array<number>(losses.length).fill(1);
  const length = (i: number) => lengths[i] ?? 1;
  let start = 0;
  let end = 0;
  for (let i = 1; i < losses.length; i++) {
    for (let j = 0; j < i; j++) {
      if ((losses[i] ?? 0) < (losses[j] ?? 0) && length(i) < length(j) + 1)
        lengths[i] = length(j) + 1;
      if (length(end) < length(i)) {
        end = i;
        start = end - length(end);
      }
    }
  }
  const sections = (end - start) / 3;
  return lrs.at(start + Math.trunc(sections) + Math.trunc(sections / 2)) ?? null;
}

/** From the right, where the slopes 15 steps apart first agree. */
function slide({ lrs, losses }: Series): number | null {
  const slopes = gradient(losses);
  let right = -1;
  let left = right - 15;
  let found = lrs.at(left) ?? null;
  while (
    left >= -losses.length &&
    Math.abs((slopes.at(right) ?? 0) - (slopes.at(left) ?? 0)) > 0.005
  ) {
    found = lrs.at(left) ?? null;
    right -= 1;
    left -= 1;
  }
  return found;
}

/** The steepest fall per unit of log(lr), in float32 as v2 has it: on a flat curve its rounding decides. */
function steep({ lrs, losses }: Series): number | null {
  const f = Math.fround;
  const log = (i: number) => f(Math.log(f(lrs[i] ?? 1)));
  const slopes = losses
    .slice(1)
    .map((loss, i) => f(f(f(loss) - f(losses[i] ?? 0)) / f(log(i + 1) - log(i))));
  return lrs[argmin(slopes)] ?? null;
}
