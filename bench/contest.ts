// Contestants take turns, round by round, so that whatever else the machine does meets them all.

import { setTimeout as delay } from 'node:timers/promises';
import type { Child } from './child.ts';
import { Nothing, type OpenCase, Steps } from './protocol.ts';

/** OpenMP's threads spin for a while behind their last work (a fifth of a second at most): let them sleep. */
const pauseMs = 250;

export type Entrant = { name: string; child: Child; open: OpenCase };

/**
 * Images per second of each: the median of all its steps; with a loader, whose batches come in bursts, the
 * median of its rounds' means.
 */
export async function contest(
  entrants: readonly Entrant[],
  { rounds, stepsPerRound }: { rounds: number; stepsPerRound: number },
): Promise<{ name: string; imagesPerSecond: number }[]> {
  const ready = entrants.map((entrant, i) => ({ ...entrant, id: `${i}`, seconds: [] as number[] }));
  for (const { child, id, open } of ready) await child.ask(Nothing, { do: 'open', id, ...open });
  for (let round = 0; round < rounds; round++) {
    for (const { child, open, id, seconds } of ready) {
      await delay(pauseMs);
      const steps = await child.ask(Steps, { do: 'steps', id, count: stepsPerRound });
      const bursts = open.source === 'loader' || open.source === 'train';
      seconds.push(...(bursts ? [mean(steps.seconds)] : steps.seconds));
    }
  }
  for (const { child, id } of ready) await child.ask(Nothing, { do: 'close', id });
  return ready.map(({ name, open, seconds }) => ({
    name,
    imagesPerSecond: open.batch / median(seconds),
  }));
}

const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
