// Test-time augmentation (fastai vision/tta.py): beta * plain + (1 - beta) * mean of eight augmented passes,
// on probabilities.

import { setImmediate as macrotask } from 'node:timers/promises';
import { evaluateMetric, type Predictions, softmaxRows } from '../training/metrics.ts';
import { ttaPasses } from '../vision/transforms/tta.ts';
import type { PhaseLoaders } from './phase-data.ts';
import type { Run } from './run-state.ts';

export type TtaResult = {
  beta: number;
  scale: number;
  metrics: Record<string, number | null>;
  probabilities: Predictions;
};

/** Every metric of the spec on augmented predictions; `plain` are the logits of a validation without it. */
export async function ttaValidation(
  run: Run,
  loaders: PhaseLoaders,
  plain: Predictions,
): Promise<TtaResult | null> {
  const options = run.spec.evaluation.tta;
  if (options === null || loaders.tta === null) return null;
  const { beta, scale } = options;
  const mixed = softmaxRows(plain).map((p) => beta * p);
  for (let pass = 0; pass < ttaPasses; pass++) {
    const loader = loaders.tta(pass, scale);
    let at = 0;
    for await (const batch of loader.batches(0)) {
      const scores = run.learner.predict(batch.images, batch.shape);
      loader.recycle(batch);
      for (const p of softmaxRows({ ...plain, scores })) {
        mixed[at] = (mixed[at] ?? 0) + ((1 - beta) / ttaPasses) * p;
        at += 1;
      }
      await macrotask();
    }
    loader.close();
  }
  const probabilities = { ...plain, scores: mixed };
  const metrics: TtaResult['metrics'] = {};
  for (const metric of run.spec.metrics)
    metrics[metric.name] = evaluateMetric(metric, probabilities);
  return { beta, scale, metrics, probabilities };
}
