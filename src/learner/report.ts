// What a finished run shows of itself: every chart as SVG and PNG, and one page with all of it.

import { setImmediate as macrotask } from 'node:timers/promises';
import type { ManifestItem } from '../domain/dataset.ts';
import type { Interpretation } from '../domain/interpretation.ts';
import type { Chart } from '../plots/chart.ts';
import { classScoresChart } from '../plots/class-scores-chart.ts';
import { confusionChart } from '../plots/confusion-chart.ts';
import { lossChart } from '../plots/loss-chart.ts';
import { metricsChart } from '../plots/metrics-chart.ts';
import { phaseName } from '../plots/phase-name.ts';
import { rateChart } from '../plots/rate-chart.ts';
import { chartSvg, svgToPng } from '../plots/render.ts';
import { reportHtml } from '../plots/report/report.ts';
import { lightTheme as theme } from '../plots/theme.ts';
import { topLossesSvg } from '../plots/top-losses-svg.ts';
import type { RunnablePhase } from '../training/fine-tune.ts';
import { planPhases } from './phase-plan.ts';
import type { Run } from './run-state.ts';
import type { Validation } from './validate.ts';

/** What the learner is told of the job, for the page alone. */
export type Provenance = { jobId: string; codeVersion: string; digest: string };
type Finished = {
  body: string;
  size: [number, number];
  validation: Validation | null;
  interpretation: Interpretation | null;
};

/** Writes the plots and report.html. A plot that cannot be drawn costs a warning, not the model. */
export async function writeReport(
  run: Run,
  provenance: Provenance,
  finished: Finished,
): Promise<void> {
  const phases = planPhases(run.spec).map(({ phase }) => phase);
  const parts: [string, () => Promise<void>][] = [
    ...pictures(run, phases, finished.interpretation).map(
      ([name, svg]): [string, () => Promise<void>] => [name, () => writePicture(run, name, svg)],
    ),
    ['report.html', () => writePage(run, phases, provenance, finished)],
  ];
  for (const [name, write] of parts) {
    try {
      await write();
    } catch (error) {
      const message = `${name} could not be written: ${(error as Error).message}`;
      run.journal.event({ type: 'warning', message });
    }
    await macrotask();
  }
}

function pictures(
  { history, classes }: Run,
  phases: readonly RunnablePhase[],
  interpretation: Interpretation | null,
): [name: string, svg: () => string][] {
  const { steps, rows } = history;
  const named = (phase: number) => phaseName(phases, phase);
  const found: [string, () => string][] = [];
  const chart = (name: string, draw: () => Chart) => found.push([name, () => chartSvg(draw())]);
  if (steps.length > 0) {
    chart('losses', () => lossChart({ steps, rows }, theme, named));
    chart('rates', () => rateChart(steps, theme, named));
  }
  const metrics = metricsChart(rows, theme);
  if (metrics) chart('metrics', () => metrics);
  if (interpretation) {
    const { confusion_matrix, class_scores, top_losses } = interpretation;
    chart('confusion_matrix', () => confusionChart(confusion_matrix, classes, theme));
    chart('class_scores', () => classScoresChart(class_scores, theme));
    if (top_losses.length > 0) found.push(['top_losses', () => topLossesSvg(top_losses, theme)]);
  }
  return found;
}

async function writePicture({ journal }: Run, name: string, draw: () => string): Promise<void> {
  const svg = draw();
  await journal.artifact(`${name}.svg`, 'image/svg+xml', Buffer.from(svg));
  // photos are as large as they are
  const zoom = name === 'top_losses' ? 1 : 2;
  await journal.artifact(`${name}.png`, 'image/png', svgToPng(svg, zoom));
}

async function writePage(
  run: Run,
  phases: readonly RunnablePhase[],
  { jobId, codeVersion, digest }: Provenance,
  { body, size, validation, interpretation }: Finished,
): Promise<void> {
  const { spec, engine, classes, history, learner } = run;
  const page = reportHtml({
    job: jobId,
    createdAt: new Date().toISOString(),
    codeVersion,
    spec,
    phases,
    datasetDigest: digest,
    engine,
    body,
    parameters: learner.model.parameters.reduce((sum, { variable }) => sum + variable.size, 0),
    size,
    classes,
    counts: { train: perClass(run.train, classes), valid: perClass(run.valid, classes) },
    lrFinds: history.lrFinds,
    steps: history.steps,
    rows: history.rows,
    validLoss: validation?.loss ?? null,
    metrics: validation?.metrics ?? {},
    interpretation,
  });
  await run.journal.artifact('report.html', 'text/html; charset=utf-8', Buffer.from(page));
}

function perClass(items: readonly ManifestItem[], classes: readonly string[]): number[] {
  const counts = new Map<string, number>();
  for (const { label } of items) counts.set(label, (counts.get(label) ?? 0) + 1);
  return classes.map((name) => counts.get(name) ?? 0);
}
