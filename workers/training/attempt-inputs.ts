import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Manifest } from '../../src/domain/dataset.ts';
import type { EventBody } from '../../src/domain/event.ts';
import { fetchTo } from '../scratch.ts';
import { CheckpointUpload } from './checkpoint-upload.ts';
import type { JobRun, TrainingRun } from './job-run.ts';
import { pretrainedFile } from './pretrained-file.ts';
import type { TrainerInput } from './trainer-messages.ts';

export type AttemptInputs = Pick<TrainerInput, 'manifestPath' | 'imagesPath' | 'pretrained'>;

/**
 * Brings what every attempt reads to this machine.
 * @throws Problem `pretrained_unknown`, `model_unknown`, `storage_unavailable`
 */
export async function fetchInputs(
  run: TrainingRun,
  manifest: Manifest,
  dir: string,
): Promise<AttemptInputs> {
  const { job, deps, patient, stop } = run;
  const say = (event: EventBody) => run.outbox.event(event);
  const pretrained = await patient(() => pretrainedFile(job, deps, { signal: stop, say }));
  const imagesPath = await fetchImages(run, manifest);
  const manifestPath = join(dir, 'manifest.json');
  await writeFile(manifestPath, JSON.stringify(manifest));
  return { manifestPath, imagesPath, pretrained };
}

/** A local copy of the data set's images. */
export async function fetchImages(run: JobRun, manifest: Manifest): Promise<string> {
  const { job, deps, patient, stop } = run;
  const bytes = manifest.items.reduce((end, item) => Math.max(end, item.offset + item.length), 0);
  const path = await patient(() =>
    deps.scratch.cached(
      `${job.dataset}-${manifest.digest.slice(0, 16)}.bin`,
      () => deps.records.streamImages(job.dataset),
      { bytes, signal: stop },
    ),
  );
  if (!path) throw new Error(`images.bin of ${job.dataset} is gone, its manifest is not`);
  return path;
}

/** The checkpoint that an earlier worker left, brought here, and the way up for those to come. */
export async function checkpointOf(run: TrainingRun, dir: string): Promise<CheckpointUpload> {
  const { job, deps, patient, persist, stop } = run;
  const path = join(dir, 'checkpoint-inherited.safetensors');
  const inherited = await patient(() =>
    fetchTo(path, () => deps.records.streamCheckpoint(job.id), stop),
  );
  return new CheckpointUpload(
    (file) => persist(() => deps.records.putCheckpoint(job.id, createReadStream(file))),
    inherited ? path : null,
  );
}
