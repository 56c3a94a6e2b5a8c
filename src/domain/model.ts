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

/** models/{id}/model.json, written last: the model exists when its card does. */
export const ModelCard = z.object({
  id: ModelId,
  owner: z.string(),
  name: z.string(),
  arch: Arch,
  classes: z.array(z.string()),
  /** [height, width] that it was trained at. */
  size: z.tuple([z.int(), z.int()]),
  resize_method: z.enum(['crop', 'pad', 'squish', 'no']),
  normalize: statistics,
  head: z.object({
    lin_ftrs: z.array(z.int()),
    ps: z.array(z.number()),
    concat_pool: z.boolean(),
    bn_final: z.boolean(),
  }),
  parameters: z.int(),
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
  files: z.array(StoredFile),
  created_at: Timestamp,
});
export type ModelCard = z.infer<typeof ModelCard>;
