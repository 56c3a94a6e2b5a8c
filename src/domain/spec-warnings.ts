import type { DatasetFacts } from './dataset-facts.ts';
import { some } from './some.ts';
import type { Spec } from './spec.ts';

/** What a job can't measure or watch on this data set, and will not fail for; a sentence each. */
export function fitWarnings(spec: Spec, facts: DatasetFacts): string[] {
  const { classes, valid } = facts;
  const warnings: string[] = [];
  if (valid.images === 0) {
    warnings.push(
      'No image is left to validate on: valid_loss and metrics stay null, and nothing says how good the model is. Send a valid/ folder or more images, or raise data.valid_pct.',
    );
    for (const name of ['early_stopping', 'save_best', 'reduce_on_plateau'] as const) {
      const monitor = spec.callbacks[name]?.monitor;
      if (monitor !== undefined && monitor !== 'train_loss') {
        warnings.push(
          `callbacks.${name} watches ${monitor}, which is not there without validation: it does nothing.`,
        );
      }
    }
  } else if (valid.classes) {
    const present = new Set(valid.classes);
    const absent = classes.filter((label) => !present.has(label));
    if (absent.length > 0) {
      warnings.push(
        `${absent.length} of ${classes.length} classes have no validation image, and no metric says anything about them: ${some(absent)}.`,
      );
    }
  }
  for (const metric of spec.metrics) {
    if ('average' in metric && metric.average === 'binary' && classes.length !== 2) {
      warnings.push(
        `${metric.name}: the average "binary" needs two classes, there are ${classes.length}; "macro" is taken, as fastai does.`,
      );
    }
    if (metric.name === 'top_k_accuracy' && metric.k >= classes.length) {
      warnings.push(
        `top_k_accuracy: any model of ${classes.length} classes has 1 with k ${metric.k}; it says nothing.`,
      );
    }
  }
  return warnings;
}
