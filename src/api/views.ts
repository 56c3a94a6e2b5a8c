// Records as callers see them: states derived, owners left out.

import type { DatasetRecord, DatasetReport, DatasetState, Manifest } from '../domain/dataset.ts';
import {
  type EvaluationRecord,
  isTerminal,
  type JobControl,
  type JobRecord,
  type JobStatus,
  jobState,
  type TrainingRecord,
} from '../domain/job.ts';
import type { ModelCard } from '../domain/model.ts';
import type { ModelFailure, ModelUpload } from '../domain/model-upload.ts';

/** GET /v1/datasets/{id}; `report` and `manifest` are null while the data set is processing. */
export function datasetView(
  record: DatasetRecord,
  report: DatasetReport | null,
  manifest: Manifest | null,
) {
  const state: DatasetState = manifest ? 'ready' : report?.error ? 'failed' : 'processing';
  const { owner: _, ...own } = record;
  const known = state === 'processing' ? null : report;
  return {
    ...own,
    state,
    terminal: state !== 'processing',
    classes: manifest?.classes ?? null,
    images: known?.images ?? null,
    counts: known?.counts ?? null,
    sizes: known?.sizes ?? null,
    skipped_total: known?.skipped_total ?? null,
    duplicates_total: known?.duplicates_total ?? null,
    warnings: known?.warnings ?? [],
    digest: manifest?.digest ?? null,
    error: known?.error ?? null,
  };
}

/** GET /v1/jobs/{id} of a job that trains. */
export function jobView(
  record: TrainingRecord,
  status: JobStatus | null,
  control: JobControl | null,
  queuePosition: number | null,
) {
  return {
    id: record.id,
    type: record.type,
    name: record.spec.name,
    ...sharedView(record, status, control, queuePosition),
    metrics: status?.epochs ?? [],
    suggestions: status?.suggestions ?? null,
    body: status?.body ?? null,
    model: status?.model ?? null,
    spec: record.spec,
  };
}

/** GET /v1/jobs/{id} of a job that evaluates. */
export function evaluationView(
  record: EvaluationRecord,
  status: JobStatus | null,
  control: JobControl | null,
  queuePosition: number | null,
) {
  const result = status?.evaluation ?? null;
  return {
    id: record.id,
    type: record.type,
    ...sharedView(record, status, control, queuePosition),
    model: record.model,
    split: record.split,
    top_losses: record.top_losses,
    images: result?.images ?? null,
    left_out: result?.left_out ?? null,
    metrics: result && { log_loss: result.log_loss, ...result.metrics },
  };
}

function sharedView(
  record: JobRecord,
  status: JobStatus | null,
  control: JobControl | null,
  queuePosition: number | null,
) {
  const state = jobState(status, control);
  const transitions = [...(status?.transitions ?? [{ state: 'queued', time: record.created_at }])];
  // the user's word counts at once; the worker's follows
  if (control && transitions.at(-1)?.state !== state) {
    transitions.push({ state, time: control.time });
  }
  return {
    dataset: record.dataset,
    state,
    terminal: isTerminal(state),
    queue_position: state === 'queued' ? queuePosition : null,
    progress: status?.progress ?? null,
    engine: status?.engine ?? null,
    dataset_digest: status?.dataset_digest ?? null,
    error: status?.error ?? null,
    warnings: [...new Set([...(record.warnings ?? []), ...(status?.warnings ?? [])])],
    transitions,
    attempts: status?.attempts ?? [],
    created_at: record.created_at,
    updated_at: status?.updated_at ?? record.created_at,
  };
}

/** GET /v1/models/{id} */
export function modelView(card: ModelCard) {
  const { owner: _, ...own } = card;
  return { ...own, state: 'ready', terminal: true, error: null };
}

/** GET /v1/models/{id} of an upload that is no model yet, or never will be. */
export function modelUploadView(upload: ModelUpload, failure: ModelFailure | null) {
  const { owner: _, ...own } = upload;
  const state = failure ? 'failed' : 'processing';
  return { ...own, state, terminal: failure !== null, error: failure?.error ?? null };
}
