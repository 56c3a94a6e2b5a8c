import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { JobRecord } from '../../src/domain/job.ts';
import { problem } from '../../src/domain/problem.ts';
import type { Records } from '../../src/store/records.ts';
import type { Scratch } from '../scratch.ts';
import type { TrainerInput } from './trainer-messages.ts';

// torchvision's, in RGB of 0..1: what every official body was trained with
const imagenet = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };

const goOn =
  'or go on with "pretrained": null (random weights), or with the id of a model trained here ("mdl_…").';

/**
 * The file of the body that the spec asks for: a model's own, one in ZOO_DIR, or one in the store under zoo/.
 * @throws Problem `pretrained_unknown` that names the file and the setting, `model_unknown`
 */
export async function pretrainedFile(
  job: JobRecord,
  from: { records: Records; scratch: Scratch; zooDir: string },
  signal?: AbortSignal,
): Promise<TrainerInput['pretrained']> {
  const { pretrained, arch } = job.spec;
  if (pretrained === null) return null;
  if (pretrained.startsWith('mdl_')) return modelBody(job, pretrained, from, signal);

  const file = `${pretrained === 'imagenet' ? `${arch}-imagenet` : pretrained}.safetensors`;
  const normalize = file.endsWith('-imagenet.safetensors') ? imagenet : null;
  const local = join(from.zooDir, file);
  if (await stat(local).catch(() => null)) return { path: local, name: file, normalize };
  const key = `zoo/${file}`;
  const info = await from.records.store.head(key);
  const path =
    info &&
    (await from.scratch.cached(
      `${info.modifiedAt.getTime()}-${file}`,
      () => from.records.store.stream(key),
      { bytes: info.bytes, signal },
    ));
  if (path) return { path, name: file, normalize };
  throw problem(
    'pretrained_unknown',
    `The body "${pretrained}" of ${arch} is not here: expected the file ${file} in ZOO_DIR (${from.zooDir}), or the object ${key} in the store`,
    { hint: `Put ${file} into the folder that ZOO_DIR names, ${goOn}` },
  );
}

async function modelBody(
  job: JobRecord,
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
  return { path, name: modelId, normalize: card.normalize };
}
