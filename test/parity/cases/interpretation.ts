import type { Metric } from '../../../src/domain/metric.ts';
import { lossPerImage, mostConfused } from '../../../src/training/interpretation.ts';
import { argmaxRow, confusionMatrix, evaluateMetric } from '../../../src/training/metrics.ts';
import type { Report } from '../report.ts';

type Golden = {
  classes: string[];
  logits: number[][];
  targets: number[];
  pred_class: number[];
  losses: number[];
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
    const rows = pairs.map(({ actual, predicted: p, count }) => [actual, p, count]);
    report.same(`most confused, ${key}`, 'pairs', rows, expected);
  }
  const order = losses.map((_, i) => i).sort((a, b) => (losses[b] ?? 0) - (losses[a] ?? 0));
  report.same('top losses', 'order', order, golden.top_losses_all.idx);
  golden.validate_names.forEach((name, i) => {
    const metric = metrics[name];
    const value = metric
      ? evaluateMetric(metric, predictions)
      : losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
    report.near(`metric ${name}`, 'value', value, golden.validate_returns[i] ?? null, {
      abs: 1e-6,
    });
  });
}
