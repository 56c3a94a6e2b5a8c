import { axis, type Chart, frame, line, type Point, powerOf } from './chart.ts';
import { epochMarks, type PhaseName, type StepPoint } from './run-axis.ts';
import { drawable } from './series.ts';
import type { Theme } from './theme.ts';

/** fastai's Recorder.plot_lr(show_moms=True): the last layer group's rate, and the momentum, of every step. */
export function rateChart(steps: readonly StepPoint[], theme: Theme, phaseName: PhaseName): Chart {
  const log = peaksDiffer(steps);
  const rates = steps.map(({ lr }, i): Point => [i + 1, lr]);
  const momenta = drawable(steps.map(({ mom }, i): Point => [i + 1, mom]));
  // a rate of 0 has no place on a logarithmic axis
  const shown = drawable(log ? rates.filter(([, lr]) => lr > 0) : rates);
  const marks = epochMarks(steps, theme, phaseName);
  const unnamed = { ...marks, label: { show: false }, data: marks.data.map(withoutLabel) };
  const batches = { type: 'value', min: 0, max: Math.max(1, steps.length) };
  const [rate, momentum] = theme.series;
  return {
    height: 420,
    option: {
      ...frame(theme, 'Learning rate and momentum'),
      grid: [
        { left: 72, right: 24, top: 58, height: 150 },
        { left: 72, right: 24, top: 246, height: 112 },
      ],
      xAxis: [
        {
          ...axis(theme, '', 0),
          ...batches,
          gridIndex: 0,
          axisLabel: { show: false },
          splitLine: { show: false },
        },
        { ...axis(theme, 'Batches', 30), ...batches, gridIndex: 1, splitLine: { show: false } },
      ],
      yAxis: [
        {
          ...axis(theme, log ? 'Rate (log)' : 'Rate', 52),
          type: log ? 'log' : 'value',
          gridIndex: 0,
          axisLabel: { color: theme.muted, fontSize: 12, formatter: powerOf, hideOverlap: true },
        },
        {
          ...axis(theme, 'Momentum', 52),
          type: 'value',
          gridIndex: 1,
          scale: true,
          splitNumber: 3,
        },
      ],
      series: [
        { ...line('rate', rate, shown), xAxisIndex: 0, yAxisIndex: 0, markLine: marks },
        { ...line('momentum', momentum, momenta), xAxisIndex: 1, yAxisIndex: 1, markLine: unnamed },
      ],
    },
  };
}

/** Whether one phase's highest rate would flatten another's on a linear axis. */
function peaksDiffer(steps: readonly StepPoint[]): boolean {
  const peaks = new Map<number, number>();
  for (const { phase, lr } of steps) peaks.set(phase, Math.max(lr, peaks.get(phase) ?? 0));
  const heights = [...peaks.values()].filter((peak) => peak > 0);
  return Math.max(...heights) >= 8 * Math.min(...heights);
}

function withoutLabel<T extends { label: object }>(mark: T) {
  return { ...mark, label: { show: false } };
}
