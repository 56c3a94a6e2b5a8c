// What a model's predictions of labelled images come to. Images whose label the model does not know take no part.

import { Metric } from '../domain/metric.ts';
import { interpret, lossPerImage } from '../training/interpretation.ts';
import { evaluateMetric } from '../training/metrics.ts';
import type { Predicted } from './predicted.ts';

/** The smallest above 0 that a probability in float32 can be: one of 0 costs no more than this. */
const leastProbability = 2 ** -149;
const metricNames = ['accuracy', 'error_rate', 'precision', 'recall', 'f_beta'];

/** Metrics with fastai's defaults, and the numbers of interpretation.json; `log_loss` is the mean per image. */
export function evaluation(
  predicted: readonly Predicted[],
  classes: readonly string[],
  topLosses: number,
) {
  const indices = new Map(classes.map((name, index) => [name, index]));
  const known = predicted.flatMap(({ file, label, probabilities }) => {
    const index = indices.get(label);
    return index === undefined ? [] : [{ file, index, probabilities }];
  });
  const scores = new Float64Array(known.length * classes.length);
  known.forEach(({ probabilities }, row) => {
    probabilities.forEach((p, c) => {
      scores[row * classes.length + c] = Math.log(Math.max(p, leastProbability));
    });
  });
  const logits = { scores, labels: known.map(({ index }) => index), classes: classes.length };
  const { top, ...numbers } = interpret(logits, classes, topLosses);
  const losses = lossPerImage(logits);
  const metrics: Record<string, number | null> = {};
  for (const name of metricNames) metrics[name] = evaluateMetric(Metric.parse(name), logits);
  return {
    images: known.length,
    log_loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
    metrics,
    ...numbers,
    top_losses: top.map(({ index, ...own }) => ({ file: known[index]?.file ?? '', ...own })),
  };
}
