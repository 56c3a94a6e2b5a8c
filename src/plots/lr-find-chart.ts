import type { EChartsCoreOption } from 'echarts';
import type { LrFindResult } from '../domain/event.ts';
import { plotSeries } from '../training/suggestions.ts';

/** fastai's Recorder.plot: smoothed loss over a logarithmic rate, with what was suggested. */
export function lrFindChart(result: LrFindResult): EChartsCoreOption {
  const { lrs, losses } = plotSeries(result, result.skip_start, result.skip_end);
  const points = lrs.map((lr, i) => [lr, losses[i]]).filter(([, loss]) => Number.isFinite(loss));
  const marks = Object.entries({
    'min numerical gradient': result.suggestions.min_numerical_gradient,
    valley: result.suggestions.valley,
  }).flatMap(([rule, lr]) => {
    const loss = lr === null ? undefined : losses[lrs.indexOf(lr)];
    if (lr === null || loss === undefined) return [];
    return [{ name: `${rule} ${lr.toExponential(1)}`, value: [lr, loss] }];
  });
  return {
    title: { text: 'Learning-rate range test', left: 'center' },
    grid: { left: 80, right: 40, top: 60, bottom: 70 },
    xAxis: {
      type: 'log',
      name: 'Learning rate',
      nameLocation: 'middle',
      nameGap: 36,
      axisLabel: { formatter: (value: number) => value.toExponential(0) },
      splitLine: { show: false },
    },
    yAxis: { type: 'value', name: 'Loss', nameLocation: 'middle', nameGap: 50, scale: true },
    series: [
      {
        type: 'line',
        data: points,
        showSymbol: false,
        lineStyle: { width: 2 },
      },
      {
        type: 'scatter',
        data: marks,
        symbolSize: 9,
        color: '#d62728',
        label: { show: true, formatter: '{b}', position: 'right', distance: 8 },
      },
    ],
  };
}
