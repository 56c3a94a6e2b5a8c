// What runs in an inference thread: sessions of ONNX Runtime, and images on their way into them.

import { parentPort, workerData } from 'node:worker_threads';
import ort from 'onnxruntime-node';
import { z } from 'zod';
import type { Preprocess } from '../domain/preprocess.ts';
import type { FieldError } from '../domain/problem.ts';
import type { ThreadAnswer, ThreadCall } from './inference-thread.ts';
import type { Tta } from './request.ts';
import { Unfitting, viewsOf } from './views.ts';

/** Rows of one run: more save nothing, and take memory that ONNX Runtime keeps. */
const rowsMax = 8;

const { cores } = z.object({ cores: z.int().min(1) }).parse(workerData);
const models = new Map<string, { session: ort.InferenceSession; preprocess: Preprocess }>();
const port = parentPort;
if (!port) throw new Error('inference-main.ts is the script of a thread');

let last: Promise<void> = Promise.resolve();
port.on('message', ({ id, call }: { id: number; call: ThreadCall }) => {
  last = last
    .then(() => answerTo(call))
    .then(
      (answer) => port.postMessage({ call: id, ...answer } satisfies ThreadAnswer),
      (error: unknown) => port.postMessage({ call: id, error } satisfies ThreadAnswer),
    );
});

async function answerTo(
  call: ThreadCall,
): Promise<{ rows: Float32Array[] } | { faults: FieldError[] }> {
  if (call.kind === 'run') return await run(call.model, call.images, call.tta);
  const before = models.get(call.model);
  models.delete(call.model);
  await before?.session.release();
  if (call.kind === 'load') {
    const session = await ort.InferenceSession.create(call.onnx, {
      intraOpNumThreads: cores,
      logSeverityLevel: 3,
    });
    models.set(call.model, { session, preprocess: call.preprocess });
  }
  return { rows: [] };
}

async function run(name: string, images: readonly Uint8Array[], tta: Tta | null) {
  const model = models.get(name);
  if (!model) throw new Error(`${name} is not loaded`);
  const rows: Float32Array[] = [];
  const faults: FieldError[] = [];
  for (const [index, image] of images.entries()) {
    try {
      const views = await viewsOf(image, model.preprocess, tta);
      if (faults.length === 0) rows.push(mixed(await probabilities(model, views), tta));
    } catch (error) {
      if (!(error instanceof Unfitting)) throw error;
      faults.push({ path: `images.${index}`, message: error.message });
    }
  }
  return faults.length > 0 ? { faults } : { rows };
}

/** A row of probabilities per view. */
async function probabilities(
  { session, preprocess }: { session: ort.InferenceSession; preprocess: Preprocess },
  views: Float32Array,
): Promise<Float32Array[]> {
  const [height, width] = preprocess.size;
  const length = 3 * height * width;
  const classes = preprocess.classes.length;
  const rows: Float32Array[] = [];
  for (let from = 0; from < views.length; from += rowsMax * length) {
    const part = views.subarray(from, from + rowsMax * length);
    const input = new ort.Tensor('float32', part, [part.length / length, 3, height, width]);
    const { probabilities } = await session.run({ [preprocess.input]: input }, ['probabilities']);
    const data = probabilities?.data;
    if (!(data instanceof Float32Array) || data.length !== (part.length / length) * classes) {
      throw new Error(`the model answers ${probabilities?.dims}, expected [N, ${classes}]`);
    }
    for (let at = 0; at < data.length; at += classes) rows.push(data.slice(at, at + classes));
  }
  return rows;
}

/** fastai's TTA: beta * plain + (1 - beta) * mean of the augmented ones (learner/tta.ts). */
function mixed(rows: readonly Float32Array[], tta: Tta | null): Float32Array {
  const [plain = new Float32Array(), ...augmented] = rows;
  if (!tta) return plain;
  const { beta } = tta;
  return plain.map((p, index) => {
    const sum = augmented.reduce((total, row) => total + (row[index] ?? 0), 0);
    return beta * p + ((1 - beta) * sum) / augmented.length;
  });
}
