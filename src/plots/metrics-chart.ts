import type { EpochRow } from '../domain/event.ts';
import { axis, type Chart, frame, line, type Point } from './chart.ts';
import { drawable } from './series.ts';
import type { Theme } from './theme.ts';

const panelHeight = 130;
const panelGap = 62;
const panelTop = 66;

/** A small panel for each metric over the epochs of all phases, each with a scale of its own; null where there are none. */
export function metricsChart(rows: readonly EpochRow[], theme: Theme): Chart | null {
  const names = [...new Set(rows.flatMap(({ metrics }) => Object.keys(metrics)))];
  if (names.length === 0) return null;
  const panels = names.map((name, i) => {
    const points = drawable(
      rows.map((row, epoch): Point => [epoch + 1, row.metrics[name] ?? Number.NaN]),
    );
    const column = i % 2;
    const top = panelTop + Math.floor(i / 2) * (panelHeight + panelGap);
    const alone = names.length === 1;
    return {
      title: {
        text: `${name.replaceAll('_', ' ')}${lastOf(points)}`,
        left: alone || column === 0 ? '9%' : '58%',
        top: top - 28,
        textStyle: { fontSize: 12, fontWeight: 'normal', color: theme.ink },
      },
      grid: {
        left: alone || column === 0 ? '9%' : '58%',
        width: alone ? '86%' : '38%',
        top,
        height: panelHeight,
      },
      xAxis: {
        ...axis(theme, '', 0),
        gridIndex: i,
        type: 'value',
        min: rows.length === 1 ? 0 : 1,
        max: rows.length === 1 ? 2 : rows.length,
        minInterval: 1,
        splitNumber: 4,
        axisLabel: {
          color: theme.muted,
          fontSize: 11,
          // one epoch stands in the middle of nothing
          formatter: (value: number) =>
            value >= 1 && value <= rows.length && Number.isInteger(value) ? String(value) : '',
        },
        splitLine: { show: false },
      },
      yAxis: {
        ...axis(theme, '', 0),
        gridIndex: i,
        type: 'value',
        scale: true,
        // alone a value has no range of its own
        ...(points.length === 1 && isShare(points) ? { min: 0, max: 1, interval: 0.5 } : {}),
        splitNumber: 3,
        axisLabel: { color: theme.muted, fontSize: 11, formatter: shortNumber },
      },
      series: {
        ...line(name, theme.series[0], points),
        showSymbol: points.length <= 30,
        xAxisIndex: i,
        yAxisIndex: i,
      },
    };
  });
  const { title, ...rest } = frame(theme, 'Metrics by epoch, with the last value');
  return {
    height: panelTop + Math.ceil(names.length / 2) * (panelHeight + panelGap) - panelGap + 36,
    option: {
      ...rest,
      title: [title, ...panels.map((panel) => panel.title)],
      grid: panels.map(({ grid }) => grid),
      xAxis: panels.map(({ xAxis }) => xAxis),
      yAxis: panels.map(({ yAxis }) => yAxis),
      series: panels.map(({ series }) => series),
    },
  };
}

function lastOf(points: readonly Point[]): string {
  const last = points.at(-1);
  return last ? `: ${last[1].toFixed(4)}` : ': not defined';
}

function isShare(points: readonly Point[]): boolean {
  return points.every(([, y]) => y >= 0 && y <= 1);
}

function shortNumber(value: number): string {
  return String(Number(value.toPrecision(4)));
}
