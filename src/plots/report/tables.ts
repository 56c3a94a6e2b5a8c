import type { EpochRow } from '../../domain/event.ts';
import type { Interpretation } from '../../domain/interpretation.ts';
import type { RunnablePhase } from '../../training/fine-tune.ts';
import { phaseName, phaseRate } from '../phase-name.ts';
import { type Html, html, nameOf } from './html.ts';

/** Rows of a table: as many as one reads, from both its ends. */
const firstRows = 20;
const lastRows = 80;
const confusedMax = 20;

/** A table; the columns that `names` counts from the left hold words. */
function table(head: readonly string[], rows: readonly (readonly (string | Html)[])[], names = 1) {
  const kind = (i: number) => (i < names ? html` class="name"` : html``);
  const line = (cells: readonly (string | Html)[]) =>
    html`<tr>${cells.map((cell, i) => html`<td${kind(i)}>${cell}</td>`)}</tr>`;
  return html`<div class="table"><table><thead><tr>${head.map((cell, i) => html`<th${kind(i)}>${cell}</th>`)}</tr></thead><tbody>${rows.map(line)}</tbody></table></div>`;
}

/** What ran: a row for each phase. */
export function phaseTable(phases: readonly RunnablePhase[], rows: readonly EpochRow[]): Html {
  return table(
    ['Phase', 'Rate', 'Epochs', 'Time'],
    phases.map((phase, index) => {
      const own = rows.filter((row) => row.phase === index);
      const asked = phase.type === 'lr_find' ? `${phase.num_it} batches` : String(phase.epochs);
      const stopped = phase.type !== 'lr_find' && own.length < phase.epochs;
      const seconds = own.reduce((sum, row) => sum + row.seconds, 0);
      return [
        phaseName(phases, index),
        phaseRate(phase),
        stopped ? `${own.length} of ${asked}` : asked,
        phase.type === 'lr_find' ? '' : duration(seconds),
      ];
    }),
  );
}

/** The table that fastai prints. */
export function epochTable(rows: readonly EpochRow[]): Html {
  const metrics = [...new Set(rows.flatMap((row) => Object.keys(row.metrics)))];
  const cells = rows.map((row) => [
    String(row.phase + 1),
    String(row.epoch),
    number(row.train_loss),
    number(row.valid_loss),
    ...metrics.map((name) => number(row.metrics[name] ?? null)),
    duration(row.seconds),
  ]);
  const left = cells.length - firstRows - lastRows;
  const shown = left > 0 ? [...cells.slice(0, firstRows), ...cells.slice(-lastRows)] : cells;
  const head = ['Phase', 'Epoch', 'Train loss', 'Valid loss', ...metrics.map(spaced), 'Time'];
  const note =
    left > 0 &&
    html`<p class="note">${left} epochs behind the first ${firstRows} are left out; history.csv has all.</p>`;
  return html`${table(head, shown, 0)}${note}`;
}

/** The pairs of classes that are taken for each other most. */
export function confusedTable({ most_confused }: Interpretation): Html {
  const shown = most_confused.slice(0, confusedMax);
  if (shown.length === 0) return html`<p>No image was taken for another class.</p>`;
  const rows = shown.map(({ actual, predicted, count }) => [
    nameOf(actual),
    nameOf(predicted),
    String(count),
  ]);
  const note =
    most_confused.length > shown.length &&
    html`<p class="note">The first ${shown.length} of ${most_confused.length} pairs.</p>`;
  return html`${table(['Actual', 'Predicted', 'Images'], rows, 2)}${note}`;
}

/** Each class with its images and, where there was a validation, its scores. */
export function classTable(
  classes: readonly string[],
  counts: { train: readonly number[]; valid: readonly number[] },
  interpretation: Interpretation | null,
): Html {
  const head = ['Class', 'Train', 'Valid'];
  const scored = interpretation ? ['Precision', 'Recall', 'F1'] : [];
  const rows = classes.map((name, i) => {
    const score = interpretation?.class_scores[i];
    const scores = score ? [score.precision, score.recall, score.f1].map((v) => number(v, 3)) : [];
    return [nameOf(name), String(counts.train[i] ?? 0), String(counts.valid[i] ?? 0), ...scores];
  });
  return table([...head, ...scored], rows);
}

/** A number that may be none. */
export function number(value: number | null | undefined, digits = 6): string {
  if (value === null || value === undefined || Number.isNaN(value)) return '–';
  return Number.isFinite(value) ? value.toFixed(digits) : String(value);
}

/** Seconds as m:ss, or h:mm:ss. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, '0');
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

export function spaced(name: string): string {
  return name.replaceAll('_', ' ');
}
