// A model as a user gets it: an upload and a job on a running stack, and its bundle.zip. Beside it the validation
// images as a network sees them, and what the trainer said of each.

import { createWriteStream } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fromBufferPromise } from 'yauzl';
import { z } from 'zod';
import { prepareDataset } from '../../src/datasets/prepare.ts';
import type { ManifestItem } from '../../src/domain/dataset.ts';
import { TrainedModel } from '../../src/domain/model.ts';
import { Preprocess } from '../../src/domain/preprocess.ts';
import { createModel } from '../../src/models/create-model.ts';
import { loadStateDict } from '../../src/models/state-dict.ts';
import { readSafetensors } from '../../src/models/weights/safetensors.ts';
import { createLoader } from '../../src/vision/loader.ts';
import type { ChannelStats } from '../../src/vision/normalize.ts';
import type { Stack } from '../../test/e2e/running-stack.ts';
import { ownAnswer } from '../../test/models/export/trained-model.ts';

export type Trained = {
  name: string;
  /** bundle.zip, unpacked. */
  dir: string;
  card: TrainedModel;
  /** Normalised validation images [N,H,W,3], in the file too. */
  images: Float32Array;
  imagesPath: string;
  shape: [number, number, number, number];
  /** The image files as they were uploaded. */
  encoded: Buffer[];
  /** [N,C] by the trainer's own network and engine, on the weights in the bundle. */
  probabilities: Float32Array;
  /** Of each image's true class, as the trainer reported it at the job's end. */
  reported: { index: number; label: number; probability: number }[];
};

const Report = z.object({
  top_losses: z.array(z.object({ file: z.string(), actual: z.string(), probability: z.number() })),
});
const CardView = TrainedModel.omit({ owner: true });

/** Trains on the archive and fetches what came of it. The engine of this process is started by the caller. */
export async function train(
  stack: Stack,
  workDir: string,
  { name, archive, spec }: { name: string; archive: Buffer; spec: object },
): Promise<Trained> {
  const dataset = await stack.prepared(archive);
  const submitted = await stack.call('POST', '/v1/jobs', { ...spec, dataset: dataset.id });
  const { job } = await stack.finish(submitted.id);
  if (job.state !== 'succeeded') throw new Error(`${name}: ${JSON.stringify(job.error)}`);
  const bundle = await stack.fetch(`/v1/models/${job.model}/files/bundle.zip`);
  await unpack(Buffer.from(await bundle.arrayBuffer()), workDir);
  const dir = join(workDir, String(job.model));
  const card = TrainedModel.parse({
    owner: '',
    ...CardView.parse(JSON.parse(await readFile(join(dir, 'model.json'), 'utf8'))),
  });
  const archivePath = join(workDir, 'upload.tar');
  await writeFile(archivePath, archive);
  const { manifest, imagesPath } = await prepareDataset({ archivePath, format: 'tar', workDir });
  const items = manifest.items.filter(({ split }) => split === 'valid');
  const pixels = await validationPixels(items, imagesPath, dir);
  const [count, height, width] = pixels.shape;
  const report = Report.parse(
    await stack.call('GET', `/v1/jobs/${job.id}/artifacts/interpretation.json`),
  );
  const imagesFile = join(workDir, 'images.f32');
  await writeFile(imagesFile, new Uint8Array(pixels.images.buffer));
  return {
    name: `${name}, ${card.arch}, ${count} images of ${width} x ${height}`,
    dir,
    card,
    ...pixels,
    imagesPath: imagesFile,
    encoded: await encodedImages(items, imagesPath),
    probabilities: await ownProbabilities(dir, card, pixels),
    reported: report.top_losses.map(({ file, actual, probability }) => ({
      index: items.findIndex((item) => item.file === file),
      label: card.classes.indexOf(actual),
      probability,
    })),
  };
}

async function unpack(zip: Buffer, dir: string): Promise<void> {
  const archive = await fromBufferPromise(zip, { lazyEntries: true });
  for await (const entry of archive.eachEntry()) {
    const path = join(dir, entry.fileName);
    await mkdir(dirname(path), { recursive: true });
    await pipeline(await archive.openReadStreamPromise(entry), createWriteStream(path));
  }
}

/** By the loader of training, told what preprocess.json says. */
async function validationPixels(items: ManifestItem[], imagesPath: string, dir: string) {
  const text = await readFile(join(dir, 'onnx/preprocess.json'), 'utf8');
  const facts = Preprocess.parse(JSON.parse(text));
  const loader = createLoader({
    items,
    imagesPath,
    classes: facts.classes,
    size: facts.size,
    resizeMethod: facts.resize_method,
    paddingMode: facts.padding_mode,
    exifOrientation: facts.exif_orientation,
    transforms: null,
    train: false,
    batchSize: items.length,
    normalize: { mean: facts.mean, std: facts.std } as ChannelStats,
    storage: 'f32',
    seed: 0,
    shuffle: false,
    dropLast: false,
  });
  try {
    for await (const { images, shape } of loader.batches(0)) {
      return { images: Float32Array.from(images), shape };
    }
    throw new Error('there are no validation images');
  } finally {
    loader.close();
  }
}

async function encodedImages(items: ManifestItem[], imagesPath: string): Promise<Buffer[]> {
  const file = await open(imagesPath);
  try {
    const all: Buffer[] = [];
    for (const { offset, length } of items) {
      const bytes = Buffer.alloc(length);
      await file.read(bytes, 0, length, offset);
      all.push(bytes);
    }
    return all;
  } finally {
    await file.close();
  }
}

async function ownProbabilities(
  dir: string,
  { arch, classes, head }: TrainedModel,
  { images, shape }: Pick<Trained, 'images' | 'shape'>,
): Promise<Float32Array> {
  const model = createModel(arch, { classes: classes.length, head, seed: 0 });
  const { tensors } = readSafetensors(await readFile(join(dir, 'safetensors/model.safetensors')));
  const set = loadStateDict(model, (name) => tensors.get(name)?.values);
  if (set.length !== model.parameters.length + model.buffers.length) {
    throw new Error('safetensors/model.safetensors does not hold the whole model');
  }
  try {
    return ownAnswer(model, images, shape).probabilities;
  } finally {
    model.dispose();
  }
}
