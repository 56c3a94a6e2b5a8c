// The steps of all phases side by side: where epochs and phases end on an axis of batches.

import type { EpochRow } from '../domain/event.ts';
import { oneLine } from './chart.ts';
import type { Theme } from './theme.ts';

/** A step as history.json has it. */
export type StepPoint = {
  phase: number;
  epoch: number;
  lr: number;
  mom: number;
  loss: number;
  smooth_loss: number;
};
export type PhaseName = (phase: number) => string;

/** The number of steps done when each epoch ended, by `phase.epoch`. */
export function epochEnds(steps: readonly StepPoint[]): Map<string, number> {
  const ends = new Map<string, number>();
  steps.forEach(({ phase, epoch }, i) => {
    ends.set(`${phase}.${epoch}`, i + 1);
  });
  return ends;
}

/** Where an epoch's row stands on the axis; undefined for one without steps. */
export function endOf(ends: Map<string, number>, { phase, epoch }: EpochRow): number | undefined {
  return ends.get(`${phase}.${epoch}`);
}

const epochLinesMax = 24;
/** Small letters beside each other above a chart. */
const lettersAcross = 80;

/** Dashed lines where epochs end, full and named ones where phases begin. */
export function epochMarks(steps: readonly StepPoint[], theme: Theme, phaseName: PhaseName) {
  const ends = [...epochEnds(steps)].map(([key, end]) => ({
    phase: Number.parseInt(key, 10),
    end,
  }));
  const every = Math.ceil(ends.length / epochLinesMax);
  const begins = new Map<number, number>();
  steps.forEach(({ phase }, i) => {
    if (!begins.has(phase)) begins.set(phase, i);
  });
  const starts = new Set(begins.values());
  const epochs = ends
    .filter(({ end }, i) => (i + 1) % every === 0 && end < steps.length && !starts.has(end))
    .map(({ end }) => ({ xAxis: end, label: { show: false } }));
  const phases = [...begins].map(([phase, begin], i, all) => {
    const end = all[i + 1]?.[1] ?? steps.length;
    const name = oneLine(
      phaseName(phase),
      Math.floor((lettersAcross * (end - begin)) / steps.length),
    );
    return {
      xAxis: begin,
      lineStyle: { type: 'solid', color: theme.muted, opacity: begin === 0 ? 0 : 1 },
      label: {
        show: begins.size > 1 && name.length > 3,
        formatter: () => name,
        position: 'end',
        align: 'left',
        distance: 4,
        opacity: 1,
        color: theme.muted,
        fontSize: 11,
      },
    };
  });
  return {
    silent: true,
    symbol: 'none',
    animation: false,
    lineStyle: { type: 'dashed', color: theme.muted, width: 1, opacity: 0.5 },
    data: [...epochs, ...phases],
  };
}
