// One evaluation. It is short: a worker that takes it over begins anew.

import { createWriteStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Manifest } from '../../src/domain/dataset.ts';
import {
  countsOfItems,
  evaluationMisfit,
  evaluationWarnings,
  itemsOfSplit,
  unknownLabels,
} from '../../src/domain/evaluation.ts';
import type { EngineInfo } from '../../src/domain/event.ts';
import type { EvaluationRecord } from '../../src/domain/job.ts';
import { Problem } from '../../src/domain/problem.ts';
import { Rate, throttle } from '../../src/learner/throttle.ts';
import { evaluation } from '../../src/predict/evaluation.ts';
import type { Predicted } from '../../src/predict/predicted.ts';
import { predictionLines } from '../../src/predict/predictions-csv.ts';
import type { Outcome } from '../../src/queue/consumer.ts';
import { readExport } from '../../src/store/exported-model.ts';
import { fetchImages } from '../training/attempt-inputs.ts';
import { crashed } from '../training/attempts.ts';
import { begin, conclude, type JobRun } from '../training/job-run.ts';
import { endAttempt } from '../training/job-status.ts';
import { evaluationBatch, predictions } from './predictions.ts';

type EvaluationRun = JobRun<EvaluationRecord>;

const { version } = createRequire(import.meta.url)('onnxruntime-node/package.json') as {
  version: string;
};

/**
 * Predicts the images and writes evaluation.json and predictions.csv; again where the inference thread broke off.
 * @throws Problem `classes_differ`, `split_empty`, `model_not_exported`, `image_unusable`, `trainer_crashed`
 */
export async function evaluate(
  run: EvaluationRun,
  manifest: Manifest,
  dir: string,
): Promise<Outcome> {
  const { job, outbox, logger, stop } = run;
  for (;;) {
    const attempt = await begin(run);
    try {
      await takePredictions(run, manifest, { attempt, dir });
      return await conclude(run, { type: 'succeeded', model: job.model });
    } catch (error) {
      if (error instanceof Problem || stop.aborted) throw error;
      logger.error({ attempt, error }, 'evaluation broke off');
      const end = crashed('the inference thread broke off');
      outbox.change((status) => endAttempt(status, end, new Date().toISOString()));
      await outbox.flush();
    }
  }
}

async function takePredictions(
  run: EvaluationRun,
  manifest: Manifest,
  { attempt, dir }: { attempt: number; dir: string },
): Promise<void> {
  const { job, deps, outbox, patient, stop } = run;
  const exported = await patient(() => readExport(deps.records, job.model));
  const { classes } = exported.preprocess;
  const items = itemsOfSplit(manifest.items, job.split);
  const counts = countsOfItems(items);
  const misfit = evaluationMisfit(job, classes, counts);
  if (misfit) throw misfit;
  const imagesPath = await fetchImages(run, manifest);
  const cores = deps.engine.threads ?? availableParallelism();
  sayBegun(run, attempt, cores);
  for (const message of evaluationWarnings(classes, counts)) {
    outbox.event({ type: 'warning', message });
  }
  const predicted = await predictions(
    { items, imagesPath },
    { id: job.model, exported, cores },
    { stop, said: sayingSteps(run, items.length) },
  );
  stop.throwIfAborted();
  const numbers = evaluation(predicted, classes, job.top_losses);
  const unknown = unknownLabels(classes, counts);
  const left_out = unknown.reduce((sum, { images }) => sum + images, 0);
  const { images, log_loss, metrics } = numbers;
  const { model, dataset, split } = job;
  await writeArtifacts(run, dir, predicted, classes, {
    ...{ model, dataset, dataset_digest: manifest.digest, split },
    left_out,
    unknown_labels: unknown,
    classes_without_images: classes.filter((name) => !counts.has(name)),
    ...numbers,
  });
  outbox.event({ type: 'evaluate.finished', result: { images, left_out, log_loss, metrics } });
}

function sayBegun({ job, outbox }: EvaluationRun, attempt: number, threads: number): void {
  if (attempt > 1) {
    const reason = outbox.status.attempts.at(-2)?.end ?? 'the attempt before was lost';
    outbox.event({ type: 'resumed', attempt, phase: 0, step: 0, reason });
  }
  const engine: EngineInfo = { name: 'onnxruntime', version, isa: '', precision: 'f32', threads };
  outbox.event({ type: 'started', attempt, engine, body: job.model });
}

function sayingSteps({ outbox }: EvaluationRun, images: number): (done: number) => void {
  const steps = Math.ceil(images / evaluationBatch);
  const due = throttle(2);
  const rate = new Rate();
  rate.add(0);
  let before = 0;
  return (done) => {
    const images_per_second = rate.add(done - before);
    before = done;
    const step = Math.ceil(done / evaluationBatch);
    if (!due() && step < steps) return;
    outbox.event({ type: 'evaluate.step', phase: 0, epoch: 0, step, steps, images_per_second });
  };
}

async function writeArtifacts(
  { outbox }: EvaluationRun,
  dir: string,
  predicted: readonly Predicted[],
  classes: readonly string[],
  report: object,
): Promise<void> {
  const csv = join(dir, 'predictions.csv');
  await pipeline(Readable.from(predictionLines(predicted, classes)), createWriteStream(csv));
  outbox.artifact('predictions.csv', 'text/csv; charset=utf-8', csv);
  const json = join(dir, 'evaluation.json');
  await writeFile(json, JSON.stringify(report));
  outbox.artifact('evaluation.json', 'application/json', json);
}
