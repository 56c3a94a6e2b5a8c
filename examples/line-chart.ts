import { chartSvg } from '../src/plots/render.ts';

export type Curve = { name: string; points: [number, number][]; dots?: boolean; dashed?: boolean };

/** Curves over one axis, as SVG. */
export function lineChart(options: {
  title: string;
  x: string;
  y: string;
  curves: Curve[];
  yRange?: [number, number];
}): string {
  const option = {
    animation: false,
    backgroundColor: '#fff',
    textStyle: { fontFamily: 'DejaVu Sans' },
    title: { text: options.title, left: 'center', textStyle: { fontFamily: 'DejaVu Sans' } },
    legend: { top: 36 },
    grid: { left: 80, right: 40, top: 80, bottom: 70 },
    xAxis: {
      type: 'value',
      name: options.x,
      nameLocation: 'middle' as const,
      nameGap: 36,
      scale: true,
    },
    yAxis: {
      type: 'value',
      name: options.y,
      nameLocation: 'middle' as const,
      nameGap: 56,
      scale: true,
      ...(options.yRange ? { min: options.yRange[0], max: options.yRange[1] } : {}),
    },
    series: options.curves.map(({ name, points, dots, dashed }) => ({
      name,
      type: dots ? 'scatter' : 'line',
      data: points,
      showSymbol: false,
      clip: true,
      lineStyle: { width: 2, type: dashed ? 'dashed' : 'solid' },
    })),
  };
  return chartSvg({ option, height: 480 });
}
