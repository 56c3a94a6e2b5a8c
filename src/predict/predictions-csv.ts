import { argmaxRow } from '../training/metrics.ts';
import type { Predicted } from './predicted.ts';

/**
 * predictions.csv, line by line (RFC 4180): a row per image. Where the model does not know the label, `correct` and
 * `actual_probability` are empty. Names come from an upload: each is quoted, and nothing of it changed.
 */
export function* predictionLines(
  predicted: Iterable<Predicted>,
  classes: readonly string[],
): Generator<string> {
  const fixed = [
    'file',
    'label',
    'predicted',
    'correct',
    'predicted_probability',
    'actual_probability',
  ];
  yield line([...fixed, ...classes.map((name) => quoted(`probability_${name}`))]);
  for (const { file, label, probabilities } of predicted) {
    const best = argmaxRow({ scores: probabilities, labels: [], classes: classes.length }, 0);
    const actual = classes.indexOf(label);
    yield line([
      quoted(file),
      quoted(label),
      quoted(classes[best] ?? ''),
      actual < 0 ? '' : String(best === actual),
      String(probabilities[best]),
      actual < 0 ? '' : String(probabilities[actual]),
      ...Array.from(probabilities, String),
    ]);
  }
}

function line(fields: readonly string[]): string {
  return `${fields.join(',')}\r\n`;
}

function quoted(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}
