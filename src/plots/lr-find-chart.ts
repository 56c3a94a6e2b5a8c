import type { LrFindResult } from '../domain/event.ts';
import { plotSeries } from '../training/suggestions.ts';
import {
  axis,
  type Chart,
  chartHeight,
  frame,
  legend,
  line,
  type Point,
  powerOf,
} from './chart.ts';
import { drawable } from './series.ts';
import type { Theme } from './theme.ts';

/**
 * fastai's Recorder.plot: loss over a logarithmic rate, smoothed and as it came, and the rates that the rules
 * suggest, each at the smoothed loss there.
 */
export function lrFindChart(result: LrFindResult, theme: Theme): Chart {
  const cut = (losses: readonly number[]) => {
    const part = plotSeries({ lrs: result.lrs, losses }, result.skip_start, result.skip_end);
    return part.lrs.map((lr, i): Point => [lr, part.losses[i] ?? Number.NaN]);
  };
  const smoothed = drawable(cut(result.losses));
  const losses = smoothed.map(([, loss]) => loss);
  // the raw loss of a range test that diverged is far above all that one wants to see
  const ceiling = Math.max(...losses) + 0.15 * (Math.max(...losses) - Math.min(...losses));
  const raw = drawable(cut(result.raw_losses)).filter(([, loss]) => loss <= ceiling);
  const marks = suggested(result).flatMap(({ rules, lr }) => {
    const loss = result.losses[result.lrs.indexOf(lr)] ?? lossNear(smoothed, lr);
    if (loss === undefined) return [];
    return [{ name: `${rules.join(', ')} ${lr.toExponential(1)}`, value: [lr, loss] }];
  });
  const [smooth, rough, ...colours] = theme.series;
  return {
    height: chartHeight,
    option: {
      ...frame(theme, 'Learning-rate range test'),
      legend: legend(theme, ['smoothed loss', 'loss', ...marks.map(({ name }) => name)]),
      grid: { left: 64, right: 24, top: 88, bottom: 52 },
      xAxis: {
        ...axis(theme, 'Learning rate', 30),
        type: 'log',
        min: 'dataMin',
        max: 'dataMax',
        axisLabel: { color: theme.muted, fontSize: 12, formatter: powerOf, hideOverlap: true },
        splitLine: { show: false },
      },
      yAxis: { ...axis(theme, 'Loss', 44), type: 'value', scale: true },
      series: [
        { ...line('loss', rough, raw, 1), lineStyle: { width: 1, color: rough, opacity: 0.6 } },
        line('smoothed loss', smooth, smoothed),
        ...marks.map(({ name, value }, i) => ({
          type: 'scatter',
          name,
          data: [value],
          z: 4,
          symbol: (['circle', 'diamond', 'triangle'] as const)[i % 3],
          symbolSize: 12,
          color: [theme.mark, ...colours][i % 3],
          silent: true,
        })),
      ],
    },
  };
}

/** Suggestions by rate: rules that agree share a mark. v1's two, and the rule that `auto` takes. */
function suggested({ suggestions, auto }: LrFindResult): { rules: string[]; lr: number }[] {
  const byRate = new Map<number, string[]>();
  const add = (rule: string, lr: number | null) => {
    if (lr === null || !(lr > 0)) return;
    const rules = byRate.get(lr);
    if (!rules) byRate.set(lr, [rule]);
    else if (!rules.includes(rule)) rules.push(rule);
  };
  add('min numerical gradient', suggestions.min_numerical_gradient);
  add('min loss / 10', suggestions.min_loss_div_10);
  add(auto.rule, auto.lr);
  return [...byRate].map(([lr, rules]) => ({ rules, lr }));
}

/** The smoothed loss at a rate between two steps; undefined outside of what is shown. */
function lossNear(points: readonly Point[], lr: number): number | undefined {
  const after = points.findIndex(([x]) => x >= lr);
  const [high, low] = [points[after], points[after - 1]];
  if (!high || !low) return undefined;
  const part = Math.log(lr / low[0]) / Math.log(high[0] / low[0]);
  return low[1] + part * (high[1] - low[1]);
}
