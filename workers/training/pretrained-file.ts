import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { EventBody } from '../../src/domain/event.ts';
import type { TrainingRecord } from '../../src/domain/job.ts';
import { problem } from '../../src/domain/problem.ts';
import { imagenetStatistics } from '../../src/domain/zoo.ts';
import type { Records } from '../../src/store/records.ts';
import type { Scratch } from '../scratch.ts';
import { goOn, notHad, type ZooDeps, zooFile } from '../zoo/zoo-file.ts';
import type { TrainerInput } from './trainer-messages.ts';

/**
 * The file of the body that the spec asks for: a model's own, one that was put into ZOO_DIR or into the store under
 * zoo/ by hand, or one that the zoo knows.
 * @throws Problem `pretrained_unknown` that names the file and the setting, `model_unknown`
 */
export async function pretrainedFile(
  job: TrainingRecord,
  from: ZooDeps,
  { signal, say }: { signal: AbortSignal; say: (event: EventBody) => void },
): Promise<TrainerInput['pretrained']> {
  const { pretrained, arch } = job.spec;
  if (pretrained === null) return null;
  if (pretrained.startsWith('mdl_')) return modelBody(job, pretrained, from, signal);
  const byHand = await fileByHand(job, from, signal);
  if (byHand) return byHand;
  const wanted = { pretrained, arch };
  const found = await zooFile(wanted, from, { signal, say });
  if (found) {
    const { file, normalisation } = found.body;
    return { path: found.path, name: file, normalize: normalisation, kept: null };
  }
  const file = `${pretrained}.safetensors`;
  throw notHad(`the zoo knows no such name, and there is no file ${file}`, {
    file,
    wanted,
    deps: from,
  });
}

/** NAME.safetensors or NAME.pth, with ARCH-imagenet for "imagenet"; of its normalisation nothing is known but the usual. */
async function fileByHand(
  { spec: { pretrained, arch } }: TrainingRecord,
  from: ZooDeps,
  signal: AbortSignal,
): Promise<TrainerInput['pretrained']> {
  const name = pretrained === 'imagenet' ? `${arch}-imagenet` : pretrained;
  for (const file of [`${name}.safetensors`, `${name}.pth`]) {
    const facts = { name: file, normalize: imagenetStatistics, kept: null };
    const local = join(from.zooDir, file);
    if (await stat(local).catch(() => null)) return { path: local, ...facts };
    const info = await from.records.zooFileInfo(file);
    const path =
      info &&
      (await from.scratch.cached(
        `${info.modifiedAt.getTime()}-${file}`,
        () => from.records.streamZooFile(file),
        { bytes: info.bytes, signal },
      ));
    if (path) return { path, ...facts };
  }
  return null;
}

async function modelBody(
  job: TrainingRecord,
  modelId: string,
  from: { records: Records; scratch: Scratch },
  signal?: AbortSignal,
): Promise<TrainerInput['pretrained']> {
  const card = await from.records.getModel(modelId);
  if (card === null || card.owner !== job.owner) {
    throw problem('model_unknown', `pretrained: there is no model ${modelId}`);
  }
  if (card.arch !== job.spec.arch) {
    throw problem(
      'pretrained_unknown',
      `The model ${modelId} is a ${card.arch}, the spec asks for ${job.spec.arch}`,
      { hint: `Set "arch": "${card.arch}", ${goOn}` },
    );
  }
  const name = 'safetensors/model.safetensors';
  const file = card.files.find((stored) => stored.name === name);
  const path =
    file &&
    (await from.scratch.cached(
      `${modelId}-${file.sha256.slice(0, 16)}.safetensors`,
      () => from.records.streamModelFile(modelId, name),
      { bytes: file.bytes, signal },
    ));
  if (!path) throw problem('model_unknown', `The weights of model ${modelId} are gone`);
  const { id, head, classes } = card;
  return { path, name: modelId, normalize: card.normalize, kept: { id, head, classes } };
}
