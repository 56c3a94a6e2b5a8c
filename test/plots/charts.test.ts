import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import sharp from 'sharp';
import type { EpochRow } from '../../src/domain/event.ts';
import { type Chart, label, oneLine, type Point } from '../../src/plots/chart.ts';
import { classScoresChart } from '../../src/plots/class-scores-chart.ts';
import { confusionChart } from '../../src/plots/confusion-chart.ts';
import { lossChart } from '../../src/plots/loss-chart.ts';
import { lrFindChart } from '../../src/plots/lr-find-chart.ts';
import { metricsChart } from '../../src/plots/metrics-chart.ts';
import { rateChart } from '../../src/plots/rate-chart.ts';
import { chartSvg, svgToPng } from '../../src/plots/render.ts';
import { drawable } from '../../src/plots/series.ts';
import { darkTheme, lightTheme, type Theme } from '../../src/plots/theme.ts';
import { topLossesSvg } from '../../src/plots/top-losses-svg.ts';
import { classScores } from '../../src/training/interpretation.ts';
import { hostileNames, madeFind, madeHistory, madeInterpretation, madeMatrix } from './made-run.ts';

const named = (phase: number) => `phase ${phase}`;

/** Draws it; a picture that is no XML, or that no reader takes, ends in an error. */
async function picture(svg: string) {
  const { width, height, format } = await sharp(svgToPng(svg)).metadata();
  assert.equal(format, 'png');
  assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
  assert.doesNotMatch(
    svg.replaceAll(/xmlns(:xlink)?="[^"]*"/g, ''),
    /http|<script|<style|\son\w+="/,
  );
  return { width, height };
}

function charts(theme: Theme): Record<string, Chart | null> {
  const history = madeHistory(4, 50);
  const matrix = madeMatrix(hostileNames.length, 20);
  return {
    lrFind: lrFindChart(madeFind(), theme),
    losses: lossChart(history, theme, named),
    rates: rateChart(history.steps, theme, named),
    metrics: metricsChart(history.rows, theme),
    confusion: confusionChart(matrix, hostileNames, theme),
    scores: classScoresChart(classScores(matrix, hostileNames), theme),
  };
}

for (const [kind, theme] of Object.entries({ lightTheme, darkTheme })) {
  test(`every chart becomes a picture of twice its size, ${kind}, whatever the classes are called`, async () => {
    for (const [name, chart] of Object.entries(charts(theme))) {
      assert.ok(chart, name);
      const { width, height } = await picture(chartSvg(chart));
      assert.deepEqual([width, height], [1440, 2 * chart.height], name);
    }
    const { top_losses } = madeInterpretation(hostileNames, { topLosses: 12 });
    await picture(topLossesSvg(top_losses, theme));
  });
}

test('a class called like a part of every object changes none', () => {
  const before = [Object.prototype, Object].map((own) => Object.getOwnPropertyNames(own));
  const names = ['__proto__', 'constructor', 'toString', 'prototype'];
  const matrix = madeMatrix(4, 9);
  chartSvg(confusionChart(matrix, names, lightTheme));
  chartSvg(classScoresChart(classScores(matrix, names), lightTheme));
  const after = [Object.prototype, Object].map((own) => Object.getOwnPropertyNames(own));
  assert.deepEqual(after, before);
});

test('equal charts are equal to the letter, and different ones share no id', () => {
  const [first, again, other] = [1, 1, 2].map((epochs) =>
    chartSvg(lossChart(madeHistory(epochs, 9), lightTheme, named)),
  );
  assert.equal(again, first);
  const ids = (svg = '') => new Set([...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id));
  assert.ok(ids(first).size > 0);
  assert.deepEqual(
    [...ids(first)].filter((id) => ids(other).has(id)),
    [],
  );
});

test('the range test’s chart marks each suggestion at its rate, and rules that agree share a mark', () => {
  const find = madeFind();
  const marksOf = (result: typeof find) => {
    const series = lrFindChart(result, lightTheme).option.series as {
      type: string;
      name: string;
      data: Point[];
    }[];
    return series.filter(({ type }) => type === 'scatter');
  };
  const { min_numerical_gradient, min_loss_div_10, valley } = find.suggestions;
  assert.deepEqual(
    marksOf(find).map(({ data }) => data[0]?.[0]),
    [min_numerical_gradient, min_loss_div_10, valley],
  );
  const agreed = marksOf({ ...find, auto: { rule: 'steepest', lr: min_numerical_gradient } });
  assert.match(agreed[0]?.name ?? '', /^min numerical gradient, steepest \d/);
  assert.equal(agreed.length, 2);
  const none = { ...find.suggestions, min_numerical_gradient: null, min_loss_div_10: null };
  const silent = { ...find, suggestions: none, auto: { rule: 'valley', lr: null } };
  assert.deepEqual(marksOf(silent), []);
});

test('values that are none leave gaps, and nothing at all still is a picture', async () => {
  const row: EpochRow = {
    phase: 1,
    epoch: 0,
    train_loss: Number.NaN,
    valid_loss: null,
    metrics: { accuracy: null, error_rate: Number.NaN },
    seconds: 1,
    lr: [],
  };
  const step = { phase: 1, epoch: 0, lr: 0, mom: Number.NaN };
  const wild = [Number.NaN, Number.POSITIVE_INFINITY, 1e300, 0.5].map((loss) => ({
    ...step,
    loss,
    smooth_loss: Number.NaN,
  }));
  const find = madeFind();
  const short = { ...find, lrs: [1e-7], losses: [Number.NaN], raw_losses: [], skip_start: 0 };
  const drawn = [
    lossChart({ steps: wild, rows: [row] }, lightTheme, named),
    lossChart({ steps: [], rows: [] }, lightTheme, named),
    rateChart(wild, lightTheme, named),
    metricsChart([row], lightTheme),
    lrFindChart(short, lightTheme),
    confusionChart(
      [
        [0, 0],
        [0, 0],
      ],
      ['a', 'b'],
      lightTheme,
    ),
    classScoresChart(
      classScores(
        [
          [0, 0],
          [0, 0],
        ],
        ['a', 'b'],
      ),
      lightTheme,
    ),
  ];
  for (const chart of drawn) await picture(chartSvg(chart as Chart));
  assert.equal(metricsChart([{ ...row, metrics: {} }], lightTheme), null);
});

test('a chart does not grow with the run', () => {
  const size = (epochs: number, batches: number) => {
    const history = madeHistory(epochs, batches);
    const all = [
      lossChart(history, lightTheme, named),
      rateChart(history.steps, lightTheme, named),
      metricsChart(history.rows, lightTheme) as Chart,
    ];
    return all.reduce((sum, chart) => sum + chartSvg(chart).length, 0);
  };
  const long = size(500, 200);
  assert.ok(long < 250_000, `200,000 steps are ${long} bytes`);
});

test('a confusion matrix of any number of classes keeps every image, in at most 8000 cells', () => {
  for (const classes of [2, 37, 200, 201, 1000]) {
    const matrix = madeMatrix(classes, 50);
    const names = matrix.map((_, i) => `class ${i}`);
    const chart = confusionChart(matrix, names, lightTheme);
    const [heat] = chart.option.series as {
      data: { value: [x: number, y: number, share: number]; label: { formatter: () => string } }[];
    }[];
    const cells = heat?.data ?? [];
    const images = cells.reduce((sum, { label }) => sum + Number(label.formatter()), 0);
    assert.equal(images, 50 * classes);
    assert.ok(cells.length <= 8000, `${cells.length} cells`);
    for (const { value } of cells) assert.ok(value[2] > 0 && value[2] <= 1);
    const { text } = chart.option.title as { text: string };
    assert.equal(/ classes to a cell/.test(text), classes > 200, text);
    assert.ok(chart.height <= 900, `${chart.height} high`);
  }
});

test('scores by class come worst first, and of very many the worst alone', () => {
  const classes = Array.from({ length: 200 }, (_, i) => `c${i}`);
  const chart = classScoresChart(classScores(madeMatrix(200, 30), classes), lightTheme);
  const shown = (chart.option.yAxis as { data: string[] }).data;
  assert.equal(shown.length, 40);
  assert.match((chart.option.title as { text: string }).text, /worst 40 of 200/);
});

test('precision, recall and F1 of a class; none where nothing was predicted or nothing is there', () => {
  const scores = classScores(
    [
      [3, 1, 0],
      [2, 2, 0],
      [0, 0, 0],
    ],
    ['a', 'b', 'c'],
  );
  assert.deepEqual(scores, [
    { name: 'a', images: 4, precision: 3 / 5, recall: 3 / 4, f1: 3 / 4.5 },
    { name: 'b', images: 4, precision: 2 / 3, recall: 2 / 4, f1: 2 / 3.5 },
    { name: 'c', images: 0, precision: null, recall: null, f1: null },
  ]);
});

test('a thinned series is finite, bounded, in order, and keeps its lowest and highest point', () => {
  const value = fc.oneof(fc.double(), fc.double({ min: -1, max: 1, noNaN: true }));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 400 }), (values) => {
      const points = values.map((y, x): Point => [x, y]);
      const kept = drawable(points, 40);
      const finite = values.filter(Number.isFinite);
      assert.ok(kept.length <= 42);
      assert.ok(kept.every(([x], i) => i === 0 || x > (kept[i - 1]?.[0] ?? x)));
      const ys = kept.map(([, y]) => y);
      assert.equal(Math.max(...ys), Math.max(...finite));
      assert.equal(Math.min(...ys), Math.min(...finite));
    }),
  );
});

test('a few points are all there; of many, those far above all others are cut off and the title says so', () => {
  const steps = (count: number) =>
    Array.from({ length: count }, (_, i) => {
      const loss = i === 0 ? 100 : 1 + i / count;
      return { phase: 0, epoch: 0, lr: 1, mom: 0.9, loss, smooth_loss: loss };
    });
  const drawn = (count: number) => {
    const { option } = lossChart({ steps: steps(count), rows: [] }, lightTheme, named);
    const { text } = option.title as { text: string };
    const [raw] = option.series as { data: Point[] }[];
    return { cut: /cut off/.test(text), highest: Math.max(...(raw?.data ?? []).map(([, y]) => y)) };
  };
  assert.deepEqual(drawn(10), { cut: false, highest: 100 });
  const { cut, highest } = drawn(200);
  assert.ok(cut && highest < 2, `${highest}`);
});

test('a name from right to left turns nothing round, and one that shows nothing is said to be blank', () => {
  assert.equal(label('שלום', 20), '\u2068שלום\u2069');
  assert.equal(label('cat \u202egnp', 20), '\u2068cat \u202egnp\u2069');
  assert.equal(label('  \u0000', 20), '(blank)');
  assert.equal(label('猫', 20), '猫');
});

test('a name fits one line of XML, whatever it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (text) => {
      const line = oneLine(text, 20);
      assert.ok([...line].length <= 20);
      assert.doesNotMatch(line, /[\p{Cc}\p{Cs}]/u);
    }),
  );
  assert.equal(oneLine('naïve 猫 🐱'), 'naïve 猫 🐱');
});
