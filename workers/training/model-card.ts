import { createHash } from 'node:crypto';
import type { Manifest } from '../../src/domain/dataset.ts';
import type { EngineInfo } from '../../src/domain/event.ts';
import { modelIdOfJob } from '../../src/domain/ids.ts';
import type { TrainingRecord } from '../../src/domain/job.ts';
import { type StoredFile, TrainedModel } from '../../src/domain/model.ts';
import type { FinishedModel } from '../../src/learner/journal.ts';

/** The card of the model that the job made; the same job makes the same card, but for the time. */
export function modelCard(from: {
  job: TrainingRecord;
  manifest: Manifest;
  model: FinishedModel;
  files: StoredFile[];
  engine: EngineInfo;
  codeVersion: string;
}): TrainedModel {
  const { job, model } = from;
  return TrainedModel.parse({
    id: modelIdOfJob(job.id),
    owner: job.owner,
    name: job.spec.name,
    arch: job.spec.arch,
    classes: model.classes,
    size: model.size,
    resize_method: model.resizeMethod,
    normalize: model.normalize,
    head: model.head,
    parameters: model.parameters,
    metrics: model.metrics,
    test_metrics: model.testMetrics,
    provenance: {
      job: job.id,
      dataset: job.dataset,
      dataset_digest: from.manifest.digest,
      spec_sha256: createHash('sha256').update(JSON.stringify(job.spec)).digest('hex'),
      code_version: from.codeVersion,
      body: model.body,
      engine: from.engine,
    },
    files: from.files,
    created_at: new Date().toISOString(),
  });
}
