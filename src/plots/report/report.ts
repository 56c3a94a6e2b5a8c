// A job as one page that opens from disk: no script, nothing fetched, and a policy that says so to the browser.
// It is a pure function of what is known; names of classes and files are anybody's and are escaped.

import { type Chart, oneLine } from '../chart.ts';
import { classScoresChart } from '../class-scores-chart.ts';
import { confusionChart } from '../confusion-chart.ts';
import { lossChart } from '../loss-chart.ts';
import { lrFindChart } from '../lr-find-chart.ts';
import { metricsChart } from '../metrics-chart.ts';
import { phaseName } from '../phase-name.ts';
import { rateChart } from '../rate-chart.ts';
import { chartSvg } from '../render.ts';
import { pageTheme } from '../theme.ts';
import { type Html, html, nameOf, trusted } from './html.ts';
import type { ReportData } from './report-data.ts';
import { style } from './style.ts';
import {
  classTable,
  confusedTable,
  duration,
  epochTable,
  number,
  phaseTable,
  spaced,
} from './tables.ts';

const chartWidth = 560;
const wideWidth = 640;
/** A longer table of epochs is shut at first. */
const openRowsMax = 15;

/** What a page that holds everything needs a browser to allow. */
const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** The whole page. */
export function reportHtml(data: ReportData): string {
  const title = oneLine(data.spec.name, 200) || `Training ${data.job}`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="content-security-policy" content="${policy}">
<meta name="viewport" content="width=device-width,initial-scale=1">
<title>${title}</title>
<style>${trusted(style)}</style>
</head>
<body>
<main>
<header>
<h1><bdi>${title}</bdi></h1>
<p class="sub">${data.spec.arch} on ${data.spec.dataset}, ${data.createdAt.slice(0, 16).replace('T', ' ')} UTC</p>
${tiles(data)}
</header>
${[summary, learningRate, training, validation, topLosses, provenance].map((part) => part(data))}
</main>
</body>
</html>
`;
  return page.html;
}

function tiles({ metrics, validLoss, rows }: ReportData): Html {
  const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
  const shown: [string, string][] = [
    ...Object.entries(metrics).map(([name, value]): [string, string] => [
      spaced(name),
      number(value, 4),
    ]),
    ['validation loss', number(validLoss, 4)],
    ['time of the epochs', duration(seconds)],
  ];
  return html`<dl class="tiles">${shown.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

function summary(data: ReportData): Html {
  const { classes, counts, engine } = data;
  const sum = (values: readonly number[]) => values.reduce((total, n) => total + n, 0);
  const few = classes.length <= 12;
  const facts: [string, string | Html][] = [
    [
      'Classes',
      few
        ? html`${classes.length}: ${classes.map((name, i) => html`${i > 0 && ', '}${nameOf(name)}`)}`
        : String(classes.length),
    ],
    [
      'Images',
      `${sum(counts.train).toLocaleString('en')} to train on, ${sum(counts.valid).toLocaleString('en')} to validate on`,
    ],
    ['Size', `${data.size[1]} x ${data.size[0]}, resized by ${data.spec.data.resize_method}`],
    ['Began with', nameOf(data.body)],
    ['Parameters', data.parameters.toLocaleString('en')],
    ['Engine', `${engine.name} ${engine.version}, ${engine.precision}, ${engine.threads} threads`],
  ];
  return html`<section><h2>Summary</h2>${factList(facts)}${phaseTable(data.phases, data.rows)}</section>`;
}

function learningRate({ lrFinds }: ReportData): Html | null {
  if (lrFinds.length === 0) return null;
  const alone = lrFinds.length === 1;
  const finds = lrFinds.map((find) => {
    const { valley, min_numerical_gradient, min_loss_div_10 } = find.suggestions;
    const rate = (value: number | null) => (value === null ? 'none' : value.toExponential(2));
    return html`<figure class="${alone ? 'wide' : ''}">${drawn(lrFindChart(find, pageTheme), chartWidth)}
<figcaption>Phase ${find.phase + 1}, ${find.lrs.length} batches${find.stopped_early ? ', stopped where the loss diverged' : ''}. Suggested: valley ${rate(valley)}, min numerical gradient ${rate(min_numerical_gradient)}, min loss / 10 ${rate(min_loss_div_10)}.</figcaption></figure>`;
  });
  return html`<section><h2>Learning rate</h2>${alone ? finds : html`<div class="pair">${finds}</div>`}</section>`;
}

function training({ steps, rows, phases }: ReportData): Html {
  const named = (phase: number) => phaseName(phases, phase);
  const charts =
    steps.length > 0 &&
    html`<div class="pair"><figure>${drawn(lossChart({ steps, rows }, pageTheme, named), chartWidth)}</figure>
<figure>${drawn(rateChart(steps, pageTheme, named), chartWidth)}</figure></div>`;
  const metrics = metricsChart(rows, pageTheme);
  return html`<section><h2>Training</h2>${charts}
${epochs(rows)}
${metrics && html`<figure class="wide">${drawn(metrics, wideWidth)}</figure>`}</section>`;
}

function epochs(rows: ReportData['rows']): Html {
  if (rows.length === 0) return html`<p class="note">No epoch was trained.</p>`;
  if (rows.length <= openRowsMax) return epochTable(rows);
  return html`<details><summary>All ${rows.length} epochs as a table</summary>${epochTable(rows)}</details>`;
}

function validation({ interpretation, classes, counts }: ReportData): Html {
  const table = classTable(classes, counts, interpretation);
  if (!interpretation) {
    return html`<section><h2>Validation</h2><p class="note">There was nothing to validate on: no confusion matrix, no scores.</p>
<details><summary>Images of each class</summary>${table}</details></section>`;
  }
  const { confusion_matrix, class_scores } = interpretation;
  return html`<section><h2>Validation</h2>
<figure class="wide">${drawn(confusionChart(confusion_matrix, classes, pageTheme), wideWidth)}</figure>
<h3>Most confused</h3>${confusedTable(interpretation)}
<figure class="wide">${drawn(classScoresChart(class_scores, pageTheme), wideWidth)}</figure>
<details><summary>Every class as a table</summary>${table}</details></section>`;
}

function topLosses({ interpretation, size: [height, width] }: ReportData): Html | null {
  const losses = interpretation?.top_losses ?? [];
  if (losses.length === 0) return null;
  const heated = losses.some(({ heat }) => heat !== null);
  const small = Math.max(height, width) <= 96 && html` class="small"`;
  const cards = losses.map(
    ({ image, heat, predicted, actual, loss, probability, file }) =>
      html`<figure><div class="seen"><img${small} src="${image}" alt="${oneLine(file, 200)}">${heat && html`<img class="heat" src="${heat}" alt="">`}</div>
<figcaption>${nameOf(predicted)} <span>predicted</span><br>${nameOf(actual)} <span>actual</span><br><span>loss</span> ${number(loss, 2)} <span>probability</span> ${number(probability, 2)}<br><span>${nameOf(file)}</span></figcaption></figure>`,
  );
  const looked = heated
    ? html`<input type="checkbox" id="looked" checked><label for="looked"> Show what speaks for the actual class (Grad-CAM, from purple to yellow); what stays clear does not</label>`
    : html`<p class="note">At this size the network’s last activations are too few to say where it looked.</p>`;
  return html`<section style="--shape:${width}/${height}"><h2>Top losses</h2>
<p class="note">The validation images that the model is most wrong about, as it saw them, with the probability of the actual class.</p>
${looked}<div class="cards">${cards}</div></section>`;
}

function provenance(data: ReportData): Html {
  const facts: [string, string | Html][] = [
    ['Job', html`<code>${data.job}</code>`],
    ['Data set', html`<code>${data.spec.dataset}</code>`],
    ['Data digest', html`<code>${data.datasetDigest}</code>`],
    ['onecycle', data.codeVersion],
    ['Engine', `${data.engine.name} ${data.engine.version} (${data.engine.isa})`],
    ['Seed', String(data.spec.seed)],
  ];
  return html`<section><h2>Provenance</h2>${factList(facts)}
<details><summary>The complete spec</summary><pre>${JSON.stringify(data.spec, null, 2)}</pre></details></section>`;
}

function factList(facts: readonly (readonly [string, string | Html])[]): Html {
  return html`<dl class="facts">${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** A chart as part of the page: as wide as there is room, in the page's colours. */
function drawn(chart: Chart, width: number): Html {
  const svg = chartSvg(chart, width);
  return trusted(
    svg.replace(
      /^<svg width="\d+" height="\d+" xmlns="[^"]*" xmlns:xlink="[^"]*"/,
      '<svg role="img"',
    ),
  );
}
