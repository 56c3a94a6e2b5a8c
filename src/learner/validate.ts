import { setImmediate as macrotask } from 'node:timers/promises';
import { evaluateMetric, type Predictions } from '../training/metrics.ts';
import type { Loader } from '../vision/loader.ts';
import type { Run } from './run-state.ts';
import { targetsOf } from './targets.ts';

export type Validation = {
  loss: number;
  metrics: Record<string, number | null>;
  logits: Predictions;
};

/** The whole validation set in evaluation mode: mean loss per image, and each metric of the spec. */
export async function validate(run: Run, loader: Loader): Promise<Validation> {
  const classes = run.classes.length;
  const { label_smoothing } = run.spec.optimizer;
  const scores: number[] = [];
  const labels: number[] = [];
  let loss = 0;
  for await (const batch of loader.batches(0)) {
    const logits = run.learner.predict(batch.images, batch.shape);
    loader.recycle(batch);
    loss += crossEntropySum(logits, targetsOf(batch.labels, classes, label_smoothing), classes);
    for (const value of logits) scores.push(value);
    for (const label of batch.labels) labels.push(label);
    await macrotask();
  }
  const logits = { scores, labels, classes };
  const metrics: Validation['metrics'] = {};
  for (const metric of run.spec.metrics) metrics[metric.name] = evaluateMetric(metric, logits);
  return { loss: loss / labels.length, metrics, logits };
}

/** Sum over the rows of -sum(target * log_softmax(logits)). */
function crossEntropySum(
  logits: ArrayLike<number>,
  targets: ArrayLike<number>,
  classes: number,
): number {
  let sum = 0;
  for (let row = 0; row < logits.length; row += classes) {
    let top = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c++) top = Math.max(top, logits[row + c] as number);
    let total = 0;
    for (let c = 0; c < classes; c++) total += Math.exp((logits[row + c] as number) - top);
    const logTotal = top + Math.log(total);
    for (let c = 0; c < classes; c++) {
      sum -= (targets[row + c] as number) * ((logits[row + c] as number) - logTotal);
    }
  }
  return sum;
}
