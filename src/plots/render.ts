// Charts as SVG by ECharts without a browser, and as PNG by resvg with the fonts that travel along.

import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import * as echarts from 'echarts';
import type { Chart } from './chart.ts';

const widthOfPicture = 720;
/** A script that DejaVu Sans does not have: what the system has is asked for then. */
const beyondOwnFont = /[\u0900-\u0e7f\u0f00-\u10ff\u1100-\u1dff\u2e80-\ufaff\u{10000}-\u{10ffff}]/u;

// without a canvas ECharts would take a narrower font for granted, and legends would overlap
echarts.setPlatformAPI({
  measureText: (text, font) => {
    const size = Number.parseFloat(/([\d.]+)px/.exec(font ?? '')?.[1] ?? '12');
    return { width: 0.61 * size * [...text].length };
  },
});

/** A chart as SVG, `width` units wide. */
export function chartSvg({ option, height }: Chart, width = widthOfPicture): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  chart.setOption(option);
  const svg = chart.renderToSVGString();
  chart.dispose();
  return ownIds(withoutHooks(svg));
}

/** An SVG as a picture of `zoom` times its size. */
export function svgToPng(svg: string, zoom = 2): Uint8Array {
  const fonts = dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json'));
  const image = new Resvg(svg, {
    fitTo: { mode: 'zoom', value: zoom },
    background: 'white',
    font: {
      fontFiles: [join(fonts, 'ttf', 'DejaVuSans.ttf')],
      loadSystemFonts: beyondOwnFont.test(svg),
      defaultFontFamily: 'DejaVu Sans',
    },
  });
  return image.render().asPng();
}

/** Without what ECharts leaves for its script in a browser: a style for hovering, numbers of series and data. */
function withoutHooks(svg: string): string {
  return svg
    .replace(/<style\s*>.*?<\/style>/s, '')
    .replace(/ (?:ecmeta_\w+|class)="[^"]*"/g, '')
    .replace(/\n\n+/g, '\n');
}

/** ECharts numbers its charts through the process: here the ids come of what is drawn, so that equal charts are equal. */
function ownIds(svg: string): string {
  const bare = svg.replace(/(id="|="url\(#)zr\d+-/g, '$1zr-');
  const hash = createHash('sha256').update(bare).digest('hex').slice(0, 10);
  return bare.replace(/(id="|="url\(#)zr-/g, `$1c${hash}-`);
}
