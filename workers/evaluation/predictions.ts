// A model's predictions of a data set's images, batch by batch, in a thread of their own.

import { type FileHandle, open } from 'node:fs/promises';
import type { ManifestItem } from '../../src/domain/dataset.ts';
import { Problem, problem } from '../../src/domain/problem.ts';
import type { Predicted } from '../../src/predict/predicted.ts';
import { createPredictor } from '../../src/predict/predictor.ts';
import type { ExportedModel } from '../../src/predict/request.ts';

/** Images that are read and handed over at one time; a cancelled job waits for so many at most. */
export const evaluationBatch = 16;

/**
 * Every image with its row of probabilities, in order; `said` is told how many are done.
 * @throws Problem `image_unusable` naming the files; what `stop` was aborted with
 */
export async function predictions(
  { items, imagesPath }: { items: readonly ManifestItem[]; imagesPath: string },
  { id, exported, cores }: { id: string; exported: ExportedModel; cores: number },
  { stop, said }: { stop: AbortSignal; said: (done: number) => void },
): Promise<Predicted[]> {
  const predictor = createPredictor({
    threads: 1,
    coresPerThread: cores,
    imagesMax: evaluationBatch,
    cacheBytes: exported.onnx.byteLength,
  });
  const file = await open(imagesPath);
  const predicted: Predicted[] = [];
  try {
    for (let from = 0; from < items.length; from += evaluationBatch) {
      stop.throwIfAborted();
      const part = items.slice(from, from + evaluationBatch);
      const images = await Promise.all(part.map((item) => bytesOf(file, item)));
      const request = { model: id, images, tta: null, read: async () => exported };
      const rows = await predictor.predict(request).catch((error: unknown) => {
        throw error instanceof Problem ? withFiles(error, part) : error;
      });
      part.forEach((item, index) => {
        const probabilities = rows[index];
        if (!probabilities) throw new Error(`${rows.length} rows for ${part.length} images`);
        predicted.push({ file: item.file, label: item.label, probabilities });
      });
      said(predicted.length);
    }
    return predicted;
  } finally {
    await predictor.close();
    await file.close();
  }
}

async function bytesOf(file: FileHandle, { file: name, offset, length }: ManifestItem) {
  const bytes = new Uint8Array(length);
  const { bytesRead } = await file.read(bytes, 0, length, offset);
  if (bytesRead < length) throw new Error(`images.bin ends within ${name}`);
  return bytes;
}

/** The predictor counts the images of a request; whoever sent the data set knows files. */
function withFiles(error: Problem, items: readonly ManifestItem[]): Problem {
  const faults = error.errors.map(({ path, message }) => {
    const index = Number(/^images\.(\d+)$/.exec(path)?.[1]);
    return `${items[index]?.file ?? path}: ${message}`;
  });
  return problem(error.code, faults.join('; ') || error.message, {
    hint: 'Take the image out of the data set, or evaluate a model that takes it.',
    cause: error,
  });
}
