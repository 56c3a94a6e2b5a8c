// Plots as SVG by ECharts without a browser, and as PNG by resvg with the fonts that travel along.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import * as echarts from 'echarts';
import type { LrFindResult } from '../domain/event.ts';
import { plotSeries } from '../training/suggestions.ts';

const width = 720;
const height = 480;
const fontFamily = 'DejaVu Sans';

/** fastai's Recorder.plot: smoothed loss over a logarithmic rate, with what was suggested. */
export function lrFindSvg(result: LrFindResult): string {
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
  return renderSvg({
    title: { text: 'Learning-rate range test', left: 'center', textStyle: { fontFamily } },
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
        label: { show: true, formatter: '{b}', fontFamily, position: 'right', distance: 8 },
      },
    ],
  });
}

/** The SVG as a picture of twice its size. */
export function svgToPng(svg: string): Uint8Array {
  const fonts = dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json'));
  const image = new Resvg(svg, {
    fitTo: { mode: 'width', value: 2 * width },
    background: 'white',
    font: {
      fontFiles: [join(fonts, 'ttf', 'DejaVuSans.ttf')],
      loadSystemFonts: false,
      defaultFontFamily: fontFamily,
    },
  });
  return image.render().asPng();
}

function renderSvg(option: echarts.EChartsCoreOption): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption({
    animation: false,
    textStyle: { fontFamily },
    backgroundColor: '#fff',
    ...option,
  });
  const svg = chart.renderToSVGString();
  chart.dispose();
  return svg;
}
