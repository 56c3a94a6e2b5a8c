import type { EpochRow } from '../domain/event.ts';
import { axis, type Chart, chartHeight, frame, legend, line, type Point } from './chart.ts';
import { endOf, epochEnds, epochMarks, type PhaseName, type StepPoint } from './run-axis.ts';
import { calmMax, drawable } from './series.ts';
import type { Theme } from './theme.ts';

/**
 * fastai's Recorder.plot_losses: the loss of every step, raw and smoothed, and of the validation set at each
 * epoch's end.
 */
export function lossChart(
  { steps, rows }: { steps: readonly StepPoint[]; rows: readonly EpochRow[] },
  theme: Theme,
  phaseName: PhaseName,
): Chart {
  const ends = epochEnds(steps);
  const smooth = drawable(steps.map(({ smooth_loss }, i): Point => [i + 1, smooth_loss]));
  const valid = drawable(
    rows.flatMap((row): Point[] => {
      const end = endOf(ends, row);
      return end === undefined || row.valid_loss === null ? [] : [[end, row.valid_loss]];
    }),
  );
  const raw = drawable(steps.map(({ loss }, i): Point => [i + 1, loss]));
  const ceiling = calmMax(raw.map(([, loss]) => loss));
  const below = (points: Point[]) =>
    ceiling === null ? points : points.filter(([, y]) => y <= ceiling);
  const cut =
    below([...raw, ...smooth, ...valid]).length < raw.length + smooth.length + valid.length;
  const [train, rough, validation] = theme.series;
  return {
    height: chartHeight,
    option: {
      ...frame(theme, cut ? 'Loss (the highest values are cut off)' : 'Loss'),
      legend: legend(theme, ['training', 'training, smoothed', 'validation']),
      grid: { left: 64, right: 24, top: 80, bottom: 52 },
      xAxis: {
        ...axis(theme, 'Batches', 30),
        type: 'value',
        min: 0,
        max: Math.max(1, steps.length),
        splitLine: { show: false },
      },
      yAxis: { ...axis(theme, 'Loss', 44), type: 'value', min: 0 },
      series: [
        {
          ...line('training', rough, below(raw), 1),
          lineStyle: { width: 1, color: rough, opacity: 0.45 },
        },
        {
          ...line('training, smoothed', train, below(smooth)),
          markLine: epochMarks(steps, theme, phaseName),
        },
        { ...line('validation', validation, below(valid)), showSymbol: valid.length <= 60 },
      ],
    },
  };
}
