import { z } from 'zod';
import { Arch } from './arch.ts';
import { EngineInfo } from './event.ts';
import { DatasetId, JobId, ModelId } from './ids.ts';
import { Timestamp } from './time.ts';

/** A file of a model or job: `name` is its path below models/{id}/ or jobs/{id}/artifacts/. */
export const StoredFile = z.object({
  name: z.string(),
  bytes: z.int(),
  sha256: z.string(),
  content_type: z.string(),
});
export type StoredFile = z.infer<typeof StoredFile>;

/** The file that each format is known by, as in GET /v1/models/{id}/files/onnx. */
export const modelFormats: Readonly<Record<string, string>> = {
  safetensors: 'safetensors/model.safetensors',
  onnx: 'onnx/model.onnx',
  tfjs: 'tfjs/model.json',
};

const statistics = z.object({ mean: z.array(z.number()), std: z.array(z.number()) }).nullable();

const Head = z.object({
  lin_ftrs: z.array(z.int()),
  ps: z.array(z.number()),
  concat_pool: z.boolean(),
  bn_final: z.boolean(),
});
const shared = {
  id: ModelId,
  owner: z.string(),
  name: z.string(),
  arch: Arch,
  normalize: statistics,
  parameters: z.int(),
  files: z.array(StoredFile),
  created_at: Timestamp,
};

/** The card of a model that a job made. */
export const TrainedModel = z.object({
  ...shared,
  classes: z.array(z.string()),
  /** [height, width] that it was trained at. */
  size: z.tuple([z.int(), z.int()]),
  resize_method: z.enum(['crop', 'pad', 'squish', 'no']),
  head: Head,
  metrics: z.record(z.string(), z.number().nullable()),
  /** On the test split, which decided nothing; null where the spec did not ask. */
  test_metrics: z.record(z.string(), z.number().nullable()).nullish(),
  provenance: z.object({
    job: JobId,
    dataset: DatasetId,
    dataset_digest: z.string(),
    spec_sha256: z.string(),
    code_version: z.string(),
    body: z.string(),
    engine: EngineInfo,
  }),
});
export type TrainedModel = z.infer<typeof TrainedModel>;

/** The card of a model that somebody uploaded; without a head it has no classes, and is a body to train from. */
export const UploadedModel = z.object({
  ...shared,
  classes: z.array(z.string()),
  size: z.null(),
  resize_method: z.null(),
  head: Head.nullable(),
  metrics: z.record(z.string(), z.number().nullable()),
  test_metrics: z.null(),
  provenance: z.object({
    source: z.literal('uploaded'),
    format: z.enum(['torch', 'safetensors']),
    sha256: z.string(),
    bytes: z.int(),
    /** What the file held beside the model, by name. */
    left_out: z.array(z.string()),
    code_version: z.string(),
  }),
});
export type UploadedModel = z.infer<typeof UploadedModel>;

/** models/{id}/model.json, written last: the model exists when its card does. */
export const ModelCard = z.union([TrainedModel, UploadedModel]);
export type ModelCard = z.infer<typeof ModelCard>;
