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

export type ClassScore = {
  name: string;
  /** Images of the class in the validation set. */
  images: number;
  /** null where nothing was predicted as the class. */
  precision: number | null;
  /** null where the validation set has no image of the class. */
  recall: number | null;
  f1: number | null;
};

/** Precision, recall and F1 of each class. */
export function classScores(matrix: number[][], classes: readonly string[]): ClassScore[] {
  return matrix.map((row, c) => {
    const hits = row[c] ?? 0;
    const images = row.reduce((sum, count) => sum + count, 0);
    const predicted = matrix.reduce((sum, other) => sum + (other[c] ?? 0), 0);
    const share = (of: number) => (of === 0 ? null : hits / of);
    return {
      name: classes[c] ?? '',
      images,
      precision: share(predicted),
      recall: share(images),
      f1: share((predicted + images) / 2),
    };
  });
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

/** Confusion matrix, scores of classes, pairs confused most, and the images with the highest loss. */
export function interpret(logits: Predictions, classes: readonly string[], topLosses: number) {
  const matrix = confusionMatrix(logits);
  const losses = lossPerImage(logits);
  const order = losses.map((_, i) => i).sort((a, b) => losses[b]! - losses[a]!);
  return {
    classes: [...classes],
    confusion_matrix: matrix,
    most_confused: mostConfused(matrix, classes),
    class_scores: classScores(matrix, classes),
    /** `index` counts the images of the validation set; `probability` is of the actual class. */
    top: order.slice(0, topLosses).map((index) => ({
      index,
      predicted: classes[argmaxRow(logits, index)] ?? '',
      actual: classes[logits.labels[index]!] ?? '',
      loss: losses[index]!,
      probability: Math.exp(-losses[index]!),
    })),
  };
}
