// fastai1 metrics.py over a whole validation set. Function metrics are means over images, which is what
// fastai's per-batch weighting amounts to; the others come from the confusion matrix of the epoch.

import type { Metric } from '../domain/metric.ts';

export type Predictions = {
  /** [N,C] row-major; any monotone score, logits or probabilities. */
  scores: ArrayLike<number>;
  labels: ArrayLike<number>;
  classes: number;
};

/** The value of a metric; null where it is not defined, as kappa is on images of a single class. */
export function evaluateMetric(metric: Metric, predictions: Predictions): number | null {
  switch (metric.name) {
    case 'accuracy':
      return accuracy(predictions);
    case 'error_rate':
      return 1 - accuracy(predictions);
    case 'top_k_accuracy':
      return topKAccuracy(predictions, metric.k);
    case 'precision':
      return averaged(confusionMatrix(predictions), metric.average, precision);
    case 'recall':
      return averaged(confusionMatrix(predictions), metric.average, recall);
    case 'f_beta': {
      const square = metric.beta ** 2;
      return averaged(confusionMatrix(predictions), metric.average, (c) => {
        const [p, r] = [precision(c), recall(c)];
        // the epsilon is fastai's
        return ((1 + square) * p * r) / (square * p + r + 1e-9);
      });
    }
    case 'kappa':
      return kappa(confusionMatrix(predictions), metric.weights);
    case 'matthews_corrcoef':
      return matthews(confusionMatrix(predictions));
  }
}

/** Index of the largest score of a row; the first of equals. */
export function argmaxRow({ scores, classes }: Predictions, row: number): number {
  let best = 0;
  for (let c = 1; c < classes; c++) {
    if (scores[row * classes + c]! > scores[row * classes + best]!) best = c;
  }
  return best;
}

/** Softmax of each row of scores: [N,C] -> [N,C]. */
export function softmaxRows({ scores, classes }: Predictions): number[] {
  const rows: number[] = [];
  for (let row = 0; row < scores.length; row += classes) {
    const own = Array.from({ length: classes }, (_, c) => scores[row + c]!);
    const top = Math.max(...own);
    const powers = own.map((score) => Math.exp(score - top));
    const total = powers.reduce((sum, power) => sum + power, 0);
    for (const power of powers) rows.push(power / total);
  }
  return rows;
}

/** Rows are actual, columns predicted. */
export function confusionMatrix(predictions: Predictions): number[][] {
  const { classes, labels } = predictions;
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < labels.length; i++) {
    matrix[labels[i]!]![argmaxRow(predictions, i)]! += 1;
  }
  return matrix;
}

function accuracy(predictions: Predictions): number {
  let hits = 0;
  const { labels } = predictions;
  for (let i = 0; i < labels.length; i++) if (argmaxRow(predictions, i) === labels[i]) hits += 1;
  return hits / labels.length;
}

function topKAccuracy({ scores, labels, classes }: Predictions, k: number): number {
  let hits = 0;
  for (let i = 0; i < labels.length; i++) {
    const own = scores[i * classes + labels[i]!]!;
    let above = 0;
    for (let c = 0; c < classes; c++) if (scores[i * classes + c]! > own) above += 1;
    if (above < k) hits += 1;
  }
  return hits / labels.length;
}

type Counts = { hit: number; predicted: number; actual: number };

/** A class that is never predicted has a precision of 0. */
const precision = ({ hit, predicted }: Counts) => (predicted === 0 ? 0 : hit / predicted);
/** A class without an image has a recall of 0. */
const recall = ({ hit, actual }: Counts) => (actual === 0 ? 0 : hit / actual);

/** fastai's CMScores: "binary" is the score of class 1, or "macro" where there are not two classes. */
function averaged(
  matrix: number[][],
  average: 'binary' | 'micro' | 'macro' | 'weighted',
  score: (counts: Counts) => number,
): number {
  const counts = matrix.map((row, c) => ({
    hit: row[c]!,
    predicted: matrix.reduce((sum, other) => sum + other[c]!, 0),
    actual: row.reduce((sum, n) => sum + n, 0),
  }));
  if (average === 'binary' && counts.length === 2) return score(counts[1]!);
  const total = counts.reduce((sum, c) => sum + c.actual, 0);
  if (average === 'micro') {
    const hit = counts.reduce((sum, c) => sum + c.hit, 0);
    return score({ hit, predicted: total, actual: total });
  }
  return counts.reduce(
    (sum, c) => sum + score(c) * (average === 'weighted' ? c.actual / total : 1 / counts.length),
    0,
  );
}

function kappa(matrix: number[][], weights: 'linear' | 'quadratic' | null): number | null {
  const n = matrix.length;
  const rows = matrix.map((row) => row.reduce((a, b) => a + b, 0));
  const columns = matrix.map((_, c) => matrix.reduce((sum, row) => sum + row[c]!, 0));
  const total = rows.reduce((a, b) => a + b, 0);
  let seen = 0;
  let expected = 0;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < n; j++) {
      const apart = Math.abs(i - j);
      const weight = weights === null ? Number(i !== j) : weights === 'linear' ? apart : apart ** 2;
      seen += weight * matrix[i]![j]!;
      expected += (weight * rows[i]! * columns[j]!) / total;
    }
  return expected === 0 ? null : 1 - seen / expected;
}

function matthews(matrix: number[][]): number | null {
  const rows = matrix.map((row) => row.reduce((a, b) => a + b, 0));
  const columns = matrix.map((_, c) => matrix.reduce((sum, row) => sum + row[c]!, 0));
  const total = rows.reduce((a, b) => a + b, 0);
  const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
  const hits = matrix.reduce((sum, row, c) => sum + row[c]!, 0);
  const over = hits * total - dot(columns, rows);
  const under = Math.sqrt((total ** 2 - dot(columns, columns)) * (total ** 2 - dot(rows, rows)));
  return under === 0 ? null : over / under;
}
