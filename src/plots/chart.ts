// What charts share. A chart is data: the options of ECharts and how high it wants to be; how wide is for
// who draws it to say.

import type { EChartsCoreOption } from 'echarts';
import type { Theme } from './theme.ts';

export type Chart = { option: EChartsCoreOption; height: number };
export type Point = [x: number, y: number];

export const chartHeight = 360;

/** The option's parts that do not depend on what is shown. */
export function frame(theme: Theme, title: string) {
  return {
    animation: false,
    darkMode: false,
    backgroundColor: theme.surface,
    textStyle: { fontFamily: theme.fontFamily, color: theme.ink },
    title: {
      text: title,
      left: 'center',
      top: 4,
      textStyle: { fontSize: 15, fontWeight: 'normal', color: theme.ink },
    },
  };
}

/** A legend under the title. */
export function legend(theme: Theme, names: readonly string[]) {
  return {
    data: [...names],
    top: 30,
    itemGap: 14,
    itemWidth: 18,
    itemHeight: 9,
    textStyle: { fontSize: 12, color: theme.ink },
  };
}

/** An axis with its name in the middle, `gap` pixels off. */
export function axis(theme: Theme, name: string, gap: number) {
  return {
    name,
    nameLocation: 'middle',
    nameGap: gap,
    nameTextStyle: { color: theme.muted, fontSize: 12 },
    axisLine: { show: true, lineStyle: { color: theme.muted } },
    axisTick: { lineStyle: { color: theme.muted } },
    axisLabel: { color: theme.muted, fontSize: 12 },
    splitLine: { lineStyle: { color: theme.rule } },
  };
}

/** A line through points. */
export function line(name: string, colour: string, data: readonly Point[], width = 2) {
  return {
    type: 'line',
    name,
    data,
    color: colour,
    silent: true,
    showSymbol: data.length === 1,
    symbol: 'circle',
    symbolSize: 5,
    lineStyle: { width, color: colour },
  };
}

/** Rates as 3e-2: a logarithmic axis has room for no more. */
export function powerOf(value: number): string {
  if (value === 0) return '0';
  return value.toExponential(Number.isInteger(Math.log10(value)) ? 0 : 1).replace('e+0', '');
}

/** Text that XML can hold and one line can show: control characters give way to a space. */
export function oneLine(text: string, lengthMax = Number.POSITIVE_INFINITY): string {
  const clean = [...text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\ufffe\uffff]+/gu, ' ')];
  return clean.length <= lengthMax
    ? clean.join('')
    : `${clean.slice(0, Math.max(0, lengthMax - 1)).join('')}…`;
}

/** What somebody else named, on one line; a name that shows nothing is said to be blank. */
export function shownName(name: string, lengthMax: number): string {
  const text = oneLine(name, lengthMax);
  return text.trim() === '' ? '(blank)' : text;
}

/**
 * A name as ECharts may have it. It keeps texts as keys of a plain object, which a class called `__proto__` or
 * `constructor` would find filled, and would write to: a space makes them keys like others.
 */
export function label(name: string, lengthMax: number): string {
  const text = shownName(name, lengthMax);
  if (text in {}) return `${text} `;
  // what is written from right to left would turn round what stands behind it
  return writtenLeft.test(text) ? `\u2068${text}\u2069` : text;
}

const writtenLeft = /[\u0590-\u08ff\u202a-\u202e\ufb1d-\ufdff\ufe70-\ufeff]/;
