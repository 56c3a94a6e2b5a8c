// The numbers behind fastai's ClassificationInterpretation (vision/learner.py, train.py).

import { argmaxRow, confusionMatrix, type Predictions } from './metrics.ts';

export type Confused = { actual: string; predicted: string; count: number };

/** Off-diagonal pairs that occur at least `minVal` times: most frequent first, ties in row-major order. */
export function mostConfused(
  matrix: number[][],
  classes: readonly string[],
  minVal = 1,
): Confused[] {
  const pairs: Confused[] = [];
  matrix.forEach((row, a) => {
    row.forEach((count, p) => {
      if (a === p || count < minVal) return;
      pairs.push({ actual: classes[a] ?? '', predicted: classes[p] ?? '', count });
    });
  });
  return pairs.sort((x, y) => y.count - x.count);
}

/** Cross-entropy of each image from raw logits: [N,C] -> [N]. */
export function lossPerImage({ scores, labels, classes }: Predictions): number[] {
  return Array.from({ length: labels.length }, (_, i) => {
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) top = Math.max(top, scores[i * classes + c]!);
    let total = 0;
    for (let c = 0; c < classes; c++) total += Math.exp(scores[i * classes + c]! - top);
    return top + Math.log(total) - scores[i * classes + labels[i]!]!;
  });
}

/** interpretation.json: confusion matrix, pairs confused most, and the images with the highest loss. */
export function interpret(
  logits: Predictions,
  classes: readonly string[],
  files: readonly string[],
  topLosses = 24,
) {
  const matrix = confusionMatrix(logits);
  const losses = lossPerImage(logits);
  const order = losses.map((_, i) => i).sort((a, b) => losses[b]! - losses[a]!);
  return {
    classes,
    confusion_matrix: matrix,
    most_confused: mostConfused(matrix, classes),
    top_losses: order.slice(0, topLosses).map((i) => ({
      file: files[i] ?? '',
      predicted: classes[argmaxRow(logits, i)] ?? '',
      actual: classes[logits.labels[i]!] ?? '',
      loss: losses[i]!,
      probability: Math.exp(-losses[i]!),
    })),
  };
}
