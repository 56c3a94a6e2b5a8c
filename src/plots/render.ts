// Charts as SVG by ECharts without a browser, and as PNG by resvg with the fonts that travel along.

import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import * as echarts from 'echarts';

const width = 720;
const height = 480;
const fontFamily = 'DejaVu Sans';

/** A chart as SVG. */
export function chartSvg(option: echarts.EChartsCoreOption): string {
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
