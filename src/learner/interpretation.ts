import type { ManifestItem } from '../domain/dataset.ts';
import type { Interpretation } from '../domain/interpretation.ts';
import type { DataOfPhase } from '../domain/phase-data.ts';
import { interpret } from '../training/interpretation.ts';
import { confusionMatrix } from '../training/metrics.ts';
import type { PhaseLoaders } from './phase-data.ts';
import type { Run } from './run-state.ts';
import { picturesOf } from './top-losses.ts';
import { ttaValidation } from './tta.ts';
import type { Validation } from './validate.ts';

/** What the model makes of its validation set: interpretation.json, and the same as a value. */
export async function writeInterpretation(
  run: Run,
  loaders: PhaseLoaders,
  data: DataOfPhase,
  { logits }: Validation,
): Promise<Interpretation> {
  const { spec, classes, valid, journal } = run;
  const { top, ...numbers } = interpret(logits, classes, spec.evaluation.top_losses);
  const items = top.map(({ index }) => valid[index]).filter((item): item is ManifestItem => !!item);
  const seen = await picturesOf(run, data, items);
  const augmented = await ttaValidation(run, loaders, logits);
  const interpretation: Interpretation = {
    ...numbers,
    top_losses: top.map(({ index: _, ...loss }, i) => ({
      file: items[i]?.file ?? '',
      ...loss,
      image: seen[i]?.image ?? '',
      heat: seen[i]?.heat ?? null,
    })),
    tta: augmented && {
      beta: augmented.beta,
      scale: augmented.scale,
      metrics: augmented.metrics,
      confusion_matrix: confusionMatrix(augmented.probabilities),
    },
  };
  const bytes = Buffer.from(JSON.stringify(interpretation));
  await journal.artifact('interpretation.json', 'application/json', bytes);
  return interpretation;
}
