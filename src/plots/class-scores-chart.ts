import type { ClassScore } from '../training/interpretation.ts';
import { axis, type Chart, frame, label, legend } from './chart.ts';
import type { Theme } from './theme.ts';

const shownMax = 40;
const nameLengthMax = 24;

/** Precision and recall of each class, the worst on top; of very many classes the worst alone. */
export function classScoresChart(scores: readonly ClassScore[], theme: Theme): Chart {
  const worst = [...scores].sort((a, b) => (a.f1 ?? 0) - (b.f1 ?? 0)).slice(0, shownMax);
  const names = worst.map(({ name, images }) => `${label(name, nameLengthMax)} (${images})`);
  const gutter = 20 + 7 * Math.max(...names.map((name) => name.length));
  const [precision, recall] = theme.series;
  const dots = (name: string, value: (score: ClassScore) => number | null, style: object) => ({
    type: 'scatter',
    name,
    silent: true,
    ...style,
    data: worst.flatMap((score, row) => {
      const x = value(score);
      return x === null ? [] : [[x, row]];
    }),
  });
  const title =
    worst.length < scores.length
      ? `Precision and recall: the worst ${worst.length} of ${scores.length} classes`
      : 'Precision and recall by class, with its images';
  return {
    height: 112 + Math.max(3, worst.length) * 20,
    option: {
      ...frame(theme, title),
      legend: legend(theme, ['precision', 'recall']),
      grid: { left: gutter, right: 28, top: 60, bottom: 36 },
      xAxis: { ...axis(theme, '', 0), type: 'value', min: 0, max: 1 },
      yAxis: {
        ...axis(theme, '', 0),
        type: 'category',
        data: names,
        inverse: true,
        axisTick: { show: false },
        axisLabel: { color: theme.ink, fontSize: 12, interval: 0 },
        splitLine: { show: true, lineStyle: { color: theme.rule } },
      },
      series: [
        dots('precision', (score) => score.precision, {
          symbol: 'circle',
          symbolSize: 12,
          itemStyle: { color: 'transparent', borderColor: precision, borderWidth: 2 },
        }),
        dots('recall', (score) => score.recall, {
          symbol: 'diamond',
          symbolSize: 9,
          color: recall,
        }),
      ],
    },
  };
}
