// A model on the labelled images of a data set: what is asked, whether it makes sense, and what is left out.

import { z } from 'zod';
import type { DatasetReport, ManifestItem } from './dataset.ts';
import { fieldErrors } from './field-errors.ts';
import { DatasetId } from './ids.ts';
import { type Problem, problem } from './problem.ts';
import { some } from './some.ts';

const namesShown = 10;

/** The upload's own split; images that it gave none belong to `all` alone. */
export const EvaluatedSplit = z.enum(['all', 'train', 'valid', 'test']);
export type EvaluatedSplit = z.infer<typeof EvaluatedSplit>;

/** Body of POST /v1/models/{id}/evaluate. */
export const EvaluationRequest = z.strictObject({
  dataset: DatasetId,
  split: EvaluatedSplit.default('all'),
  top_losses: z.int().min(0).max(100).default(9),
});
export type EvaluationRequest = z.infer<typeof EvaluationRequest>;

/** The numbers of an evaluation, over images whose label the model knows. */
export const EvaluationResult = z.object({
  images: z.int(),
  /** Images whose label the model does not know. */
  left_out: z.int(),
  log_loss: z.number(),
  metrics: z.record(z.string(), z.number().nullable()),
});
export type EvaluationResult = z.infer<typeof EvaluationResult>;

/** Images per label. */
type Counts = ReadonlyMap<string, number>;

/**
 * The complete request of a body.
 * @throws Problem `invalid_spec` that names every bad field
 */
export function parseEvaluation(body: unknown): EvaluationRequest {
  const result = EvaluationRequest.safeParse(body, { reportInput: true });
  if (result.success) return result.data;
  const errors = fieldErrors(result.error);
  const named = errors.map(({ path, message }) => `${path || '(body)'}: ${message}`);
  throw problem('invalid_spec', `The evaluation is not valid: ${named.slice(0, 20).join('; ')}`, {
    errors,
  });
}

/** The images of a split. */
export function itemsOfSplit(
  items: readonly ManifestItem[],
  split: EvaluatedSplit,
): ManifestItem[] {
  return items.filter((item) => split === 'all' || item.split === split);
}

/** Images per label. */
export function countsOfItems(items: readonly ManifestItem[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { label } of items) counts.set(label, (counts.get(label) ?? 0) + 1);
  return counts;
}

/** Images per label of a split, as the report of a data set has them. */
export function countsOfReport({ counts }: DatasetReport, split: EvaluatedSplit): Counts {
  const parts = split === 'all' ? Object.values(counts) : [counts[split]];
  const total = new Map<string, number>();
  for (const [label, images] of parts.flatMap((part) => Object.entries(part))) {
    if (images > 0) total.set(label, (total.get(label) ?? 0) + images);
  }
  return total;
}

/** Images whose label is none of `classes`, per label. */
export function unknownLabels(
  classes: readonly string[],
  counts: Counts,
): { label: string; images: number }[] {
  return [...counts]
    .filter(([label]) => !classes.includes(label))
    .map(([label, images]) => ({ label, images }));
}

/** Why a model of `classes` cannot be evaluated on these images; null where it can. */
export function evaluationMisfit(
  { dataset, split }: Pick<EvaluationRequest, 'dataset' | 'split'>,
  classes: readonly string[],
  counts: Counts,
): Problem | null {
  if (counts.size === 0) {
    const detail = `${dataset} has no labelled image in ${split}`;
    return problem('split_empty', detail, { errors: [{ path: 'split', message: detail }] });
  }
  if (classes.some((name) => counts.has(name))) return null;
  const detail = `The model and the data set have no class in common: the model knows ${some(classes, namesShown)}, the images are labelled ${some([...counts.keys()], namesShown)}`;
  return problem('classes_differ', detail, {
    hint: 'Classes are matched by name, letter by letter: name them alike.',
    errors: [{ path: 'dataset', message: detail }],
  });
}

/** What of the images or of the classes does not take part, a sentence each. */
export function evaluationWarnings(classes: readonly string[], counts: Counts): string[] {
  const warnings: string[] = [];
  const unknown = unknownLabels(classes, counts);
  if (unknown.length > 0) {
    const images = unknown.reduce((sum, { images }) => sum + images, 0);
    const labels = some(
      unknown.map(({ label }) => label),
      namesShown,
    );
    warnings.push(
      `${images} images are left out of the metrics, the model has no class of their label: ${labels}.`,
    );
  }
  const missing = classes.filter((name) => !counts.has(name));
  if (missing.length > 0) {
    warnings.push(
      `No image shows ${missing.length} of the model's ${classes.length} classes: ${some(missing, namesShown)}. Where precision, recall and f_beta are averages over classes, each of these counts as 0.`,
    );
  }
  return warnings;
}
