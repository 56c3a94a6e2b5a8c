// One upload becomes a data set. Every step can be done again, and the manifest is written last: a worker
// that takes an upload over goes by what the store says.

import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Findings } from '../src/datasets/findings.ts';
import { prepareDataset, RefusedDataset } from '../src/datasets/prepare.ts';
import type { DatasetRecord } from '../src/domain/dataset.ts';
import { Problem, problem } from '../src/domain/problem.ts';
import type { Outcome } from '../src/queue/consumer.ts';
import type { Records } from '../src/store/records.ts';
import { dropOrphan } from './orphan.ts';
import { patiently } from './patience.ts';
import { fetchTo, type Scratch } from './scratch.ts';

export type IngestDeps = { records: Records; scratch: Scratch; logger: Logger };

type Patient = <T>(action: () => Promise<T>) => Promise<T>;

/** Prepares one uploaded data set, or says in its report why it cannot be. */
export async function ingest(
  datasetId: string,
  deps: IngestDeps,
  { signal }: { signal: AbortSignal },
): Promise<Outcome> {
  const logger = deps.logger.child({ datasetId });
  const patient: Patient = (action) =>
    patiently(action, {
      signal,
      onWait: (error, waitMs) => logger.warn({ reason: error.message, waitMs }, 'store is away'),
    });
  try {
    const dataset = await patient(() => deps.records.getDataset(datasetId));
    if (dataset === null) return await dropOrphan('ingest', datasetId, { ...deps, logger });
    if (await patient(() => isSettled(datasetId, deps.records))) {
      logger.info('data set was ready, or refused, before');
    } else await prepare(dataset, { ...deps, logger }, patient, signal);
    await patient(() => deps.records.unmark('ingest', datasetId));
    return { outcome: 'done' };
  } catch (error) {
    if (signal.aborted) return { outcome: 'interrupted' };
    throw error;
  }
}

async function isSettled(datasetId: string, records: Records): Promise<boolean> {
  if (await records.getManifest(datasetId)) return true;
  const report = await records.getReport(datasetId);
  return report !== null && report.error !== null;
}

async function prepare(
  dataset: DatasetRecord,
  { records, scratch, logger }: IngestDeps,
  patient: Patient,
  signal: AbortSignal,
): Promise<void> {
  const { id, format } = dataset;
  const workDir = await scratch.folder(id);
  const began = Date.now();
  try {
    const archivePath = join(workDir, 'source');
    const found = await patient(() => fetchTo(archivePath, () => records.streamSource(id), signal));
    if (!found) throw problem('archive_broken', 'The upload is gone from the store');
    const { manifest, report, imagesPath } = await prepareDataset({
      archivePath,
      format,
      labels: dataset,
      workDir,
      signal,
    });
    await patient(() => records.putImages(id, createReadStream(imagesPath)));
    await patient(() => records.putReport(id, report));
    await patient(() => records.putManifest(id, manifest));
    logger.info({ images: report.images, ms: Date.now() - began }, 'data set is ready');
  } catch (error) {
    const refusal = refusalOf(error, signal);
    if (refusal.code === 'internal') logger.error({ error }, 'data set could not be prepared');
    await patient(() => records.putReport(id, refusal.report));
    logger.info({ code: refusal.code, reason: refusal.message }, 'data set is refused');
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

/**
 * What the user is told. A bug of ours would happen again at every attempt, and leave the data set
 * processing for ever; what time may heal (a full disk, a store that is away) goes back to the queue.
 */
function refusalOf(error: unknown, signal: AbortSignal): RefusedDataset {
  if (error instanceof RefusedDataset) return error;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (signal.aborted || code === 'storage_unavailable' || /^E[A-Z]+$/.test(code)) throw error;
  const reason =
    error instanceof Problem
      ? error
      : problem('internal', 'The data set could not be prepared', { cause: error });
  return new RefusedDataset(reason, new Findings().report([], reason));
}
