import type { ManifestItem } from '../domain/dataset.ts';
import { interpret } from '../training/interpretation.ts';
import type { Loader } from '../vision/loader.ts';
import { undefinedMetric, warn } from './fit.ts';
import type { Run } from './run-state.ts';
import { validate } from './validate.ts';

/** Metrics of the finished model on images that decided nothing; writes test.json. */
export async function evaluateTest(
  run: Run,
  loader: Loader,
  items: readonly ManifestItem[],
): Promise<Record<string, number | null>> {
  const { loss, metrics, logits } = await validate(run, loader);
  for (const [name, value] of Object.entries(metrics)) {
    if (value === null) warn(run, undefinedMetric(`${name} of the test split`));
  }
  const { top, ...numbers } = interpret(logits, run.classes, run.spec.evaluation.top_losses);
  const top_losses = top.map(({ index, ...own }) => ({ file: items[index]?.file ?? '', ...own }));
  const report = { images: items.length, loss, metrics, ...numbers, top_losses };
  const bytes = Buffer.from(JSON.stringify(report));
  await run.journal.artifact('test.json', 'application/json', bytes);
  return { test_loss: loss, ...metrics };
}
