import { axis, type Chart, frame, label } from './chart.ts';
import type { Theme } from './theme.ts';

/** Cells that a side may have, and cells that are drawn at most. */
const sideMax = 200;
const cellsMax = 8000;
/** Up to this many classes each has its name on the axis, and each cell its count. */
const namedMax = 60;
const countedMax = 25;
const nameLengthMax = 20;

/**
 * The confusion matrix as a heat map: rows are actual, columns predicted, a cell is as full as its share of
 * the row. Of very many classes neighbours share a cell, and the title says so.
 */
export function confusionChart(
  matrix: readonly (readonly number[])[],
  classes: readonly string[],
  theme: Theme,
): Chart {
  const { block, cells, side } = blocks(matrix);
  const names = Array.from({ length: side }, (_, i) => nameOf(classes, i, block));
  const counted = side <= countedMax;
  const fontSize = side <= 12 ? 12 : side <= 40 ? 10 : 9;
  const gutter = 14 + 0.62 * fontSize * Math.max(...names.map((name) => name.length));
  const labels = {
    color: theme.muted,
    fontSize,
    interval: side <= namedMax ? 0 : Math.ceil(side / 30) - 1,
  };
  const category = { type: 'category', data: names, axisTick: { show: false } };
  const top = 44;
  const title = block > 1 ? `Confusion matrix, ${block} classes to a cell` : 'Confusion matrix';
  return {
    height: top + gutter + 36 + Math.min(560, Math.max(180, side * 34)),
    option: {
      ...frame(theme, title),
      grid: { left: gutter + 24, right: 24, top, bottom: gutter + 28 },
      xAxis: {
        ...axis(theme, 'Predicted', gutter + 6),
        ...category,
        axisLabel: { ...labels, rotate: side * gutter < 480 ? 0 : 90 },
        splitLine: { show: false },
      },
      yAxis: {
        ...axis(theme, 'Actual', gutter + 6),
        ...category,
        axisLabel: labels,
        inverse: true,
        splitLine: { show: false },
      },
      visualMap: { show: false, min: 0, max: 1, inRange: { opacity: [counted ? 0.1 : 0.3, 1] } },
      series: [
        {
          type: 'heatmap',
          silent: true,
          animation: false,
          progressive: 0,
          itemStyle: { color: theme.heat },
          data: cells.map(({ row, column, count, share }) => ({
            value: [column, row, share],
            label: {
              show: counted,
              opacity: 1,
              fontSize: side <= 12 ? 12 : 9,
              formatter: () => String(count),
              color: share > 0.5 ? theme.onHeat : theme.ink,
            },
          })),
        },
      ],
    },
  };
}

type Entry = { row: number; column: number; count: number };
type Cell = Entry & { share: number };

/** Sums of square blocks of the matrix, those that are not 0, in blocks as small as the bounds allow. */
function blocks(matrix: readonly (readonly number[])[]) {
  const entries = matrix.flatMap((counts, row) =>
    counts.flatMap((count, column): Entry[] => (count > 0 ? [{ row, column, count }] : [])),
  );
  let block = Math.ceil(matrix.length / sideMax);
  let cells = cellsOf(entries, block);
  while (cells.length > cellsMax) {
    block += 1;
    cells = cellsOf(entries, block);
  }
  return { block, cells, side: Math.ceil(matrix.length / block) };
}

function cellsOf(entries: readonly Entry[], block: number): Cell[] {
  const totals = new Map<number, number>();
  const sums = new Map<string, Entry>();
  for (const entry of entries) {
    const [row, column] = [Math.floor(entry.row / block), Math.floor(entry.column / block)];
    const count = entry.count + (sums.get(`${row}.${column}`)?.count ?? 0);
    sums.set(`${row}.${column}`, { row, column, count });
    totals.set(row, entry.count + (totals.get(row) ?? 0));
  }
  return [...sums.values()].map((sum) => ({
    ...sum,
    share: sum.count / (totals.get(sum.row) ?? 1),
  }));
}

function nameOf(classes: readonly string[], index: number, block: number): string {
  const first = label(classes[index * block] ?? '', nameLengthMax);
  return block === 1 ? first : `${first} …`;
}
