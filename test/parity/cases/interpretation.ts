import type { Metric } from '../../../src/domain/metric.ts';
import { lossPerImage, mostConfused } from '../../../src/training/interpretation.ts';
import { argmaxRow, confusionMatrix, evaluateMetric } from '../../../src/training/metrics.ts';
import type { Report } from '../report.ts';
import { leaveOut } from '../watched.ts';

type Golden = {
  classes: string[];
  logits: number[][];
  targets: number[];
  pred_class: number[];
  losses: number[];
  batches_of: number;
  softmax: number[][];
  top5_idx: number[];
  bottom5_idx: number[];
  confusion_matrix_normalized: number[][];
  per_batch: { n: number; loss: number; acc: number }[];
  unweighted_mean_would_be: number;
  argmax_tie?: { logits: number[][]; argmax: number[] };
  confusion_matrix_rows_actual_cols_pred: number[][];
  most_confused: Record<string, [string, string, number][]>;
  top_losses_all: { values: number[]; idx: number[] };
  validate_returns: number[];
  validate_names: string[];
};

const metrics: Record<string, Metric> = {
  accuracy: { name: 'accuracy' },
  error_rate: { name: 'error_rate' },
  top_2_accuracy: { name: 'top_k_accuracy', k: 2 },
  precision_macro: { name: 'precision', average: 'macro' },
  recall_macro: { name: 'recall', average: 'macro' },
  f1_macro: { name: 'f_beta', beta: 1, average: 'macro' },
  kappa: { name: 'kappa', weights: null },
  matthews: { name: 'matthews_corrcoef' },
};

export function interpretationCases(golden: Golden, report: Report): void {
  const { classes, targets: labels } = golden;
  const predictions = { scores: golden.logits.flat(), labels, classes: classes.length };
  const predicted = labels.map((_, i) => argmaxRow(predictions, i));
  report.same('predicted classes', 'argmax', predicted, golden.pred_class);
  const losses = lossPerImage(predictions);
  report.near('losses', 'per image', losses, golden.losses, { abs: 1e-6 });
  const matrix = confusionMatrix(predictions);
  report.same('confusion matrix', 'counts', matrix, golden.confusion_matrix_rows_actual_cols_pred);
  for (const [key, expected] of Object.entries(golden.most_confused)) {
    const pairs = mostConfused(matrix, classes, Number(key.replace('min_val_', '')));
    const found = pairs.map(({ actual, predicted: p, count }) => [actual, p, count]);
    report.same(`most confused, ${key}`, 'pairs', found, expected);
  }
  const order = losses.map((_, i) => i).sort((a, b) => (losses[b] ?? 0) - (losses[a] ?? 0));
  report.same('top losses', 'order', order, golden.top_losses_all.idx);
  const near = { abs: 1e-6 };
  const top = order.map((i) => losses[i] ?? Number.NaN);
  report.near('top losses', 'values', top, golden.top_losses_all.values, near);
  report.same('top losses', 'five', order.slice(0, 5), golden.top5_idx);
  report.same('top losses', 'last five', order.toReversed().slice(0, 5), golden.bottom5_idx);
  const rows = golden.logits.map((row) => {
    const raised = row.map((value) => Math.exp(value - Math.max(...row)));
    return raised.map((value) => value / raised.reduce((sum, other) => sum + other, 0));
  });
  const own = labels.map((label, i) => -Math.log(rows[i]?.[label] ?? 0));
  report.near('losses', 'by the probability of the label', losses, own, near);
  report.near('losses', 'probabilities', rows, golden.softmax, near);
  const shares = matrix.map((row) =>
    row.map((n) => n / row.reduce((sum, other) => sum + other, 0)),
  );
  report.near('confusion matrix', 'shares', shares, golden.confusion_matrix_normalized, near);
  let at = 0;
  const batches = golden.per_batch.map(({ n, loss, acc }) => {
    const [from, to] = [at, at + n];
    at = to;
    const part = losses.slice(from, to).reduce((sum, value) => sum + value, 0) / n;
    const right = predicted.slice(from, to).filter((p, i) => p === labels[from + i]).length / n;
    report.near('batches', 'loss and accuracy', [part, right], [loss, acc], near);
    return part;
  });
  report.same(
    'batches',
    'size',
    Math.min(golden.batches_of, golden.per_batch[0]?.n ?? 0),
    golden.batches_of,
  );
  const mean = batches.reduce((sum, loss) => sum + loss, 0) / batches.length;
  report.near('batches', 'their mean', mean, golden.unweighted_mean_would_be, near);
  const tie = golden.argmax_tie;
  if (tie) {
    const scores = {
      scores: tie.logits.flat(),
      labels: [0, 0],
      classes: tie.logits[0]?.length ?? 0,
    };
    report.same(
      'predicted classes',
      'a tie',
      tie.logits.map((_, i) => argmaxRow(scores, i)),
      tie.argmax,
    );
  }
  // a sentence
  leaveOut(golden, ['metric_averaging']);
  golden.validate_names.forEach((name, i) => {
    const metric = metrics[name];
    if (!metric && name !== 'valid_loss') {
      report.fail(`metric ${name}`, 'not understood');
      return;
    }
    const value = metric
      ? evaluateMetric(metric, predictions)
      : losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    report.near(`metric ${name}`, 'value', value, golden.validate_returns[i] ?? null, {
      abs: 1e-6,
    });
  });
}
