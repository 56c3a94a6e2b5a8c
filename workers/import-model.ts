// Uploaded weights become a model: read, held against the architecture, written as onecycle writes its own. The card
// comes last, and a file that does not fit leaves the reason instead.

import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { byCodePoint } from '../src/domain/code-point-order.ts';
import { UploadedModel } from '../src/domain/model.ts';
import type { ModelUpload } from '../src/domain/model-upload.ts';
import { Problem, problem } from '../src/domain/problem.ts';
import { type FittedWeights, finiteValues, fitWeights } from '../src/models/fit-weights.ts';
import { type NamedTensor, writeSafetensors } from '../src/models/weights/safetensors.ts';
import { readWeights } from '../src/models/weights/weights-file.ts';
import type { Outcome } from '../src/queue/consumer.ts';
import type { Records } from '../src/store/records.ts';
import { dropOrphan } from './orphan.ts';
import { patiently } from './patience.ts';
import { fetchTo, type Scratch } from './scratch.ts';

export type ImportDeps = {
  records: Records;
  scratch: Scratch;
  codeVersion: string;
  logger: Logger;
};
type Patient = <T>(action: () => Promise<T>) => Promise<T>;

/** Makes a model of one uploaded file, or says why it cannot. */
export async function importModel(
  modelId: string,
  deps: ImportDeps,
  { signal }: { signal: AbortSignal },
): Promise<Outcome> {
  const logger = deps.logger.child({ modelId });
  const { records } = deps;
  const patient: Patient = (action) =>
    patiently(action, {
      signal,
      onWait: (error, waitMs) => logger.warn({ reason: error.message, waitMs }, 'store is away'),
    });
  try {
    const upload = await patient(() => records.getModelUpload(modelId));
    if (upload === null) return await dropOrphan('ingest', modelId, { ...deps, logger });
    const settled =
      (await patient(() => records.getModel(modelId))) ??
      (await patient(() => records.getModelFailure(modelId)));
    if (settled === null) await take(upload, { ...deps, logger }, patient, signal);
    await patient(() => records.unmark('ingest', modelId));
    return { outcome: 'done' };
  } catch (error) {
    if (signal.aborted) return { outcome: 'interrupted' };
    throw error;
  }
}

async function take(
  upload: ModelUpload,
  deps: ImportDeps,
  patient: Patient,
  signal: AbortSignal,
): Promise<void> {
  const { id } = upload;
  const { records, logger } = deps;
  const dir = await deps.scratch.folder(id);
  try {
    const path = join(dir, 'source');
    const found = await patient(() => fetchTo(path, () => records.streamModelSource(id), signal));
    if (!found) throw problem('weights_invalid', 'The upload is gone from the store');
    const made = await modelOf(upload, path);
    const { name, contentType, bytes } = made.file;
    const stored = await patient(() => records.putModelFile(id, name, contentType, bytes));
    const card = UploadedModel.parse({
      ...made.facts,
      provenance: { ...made.facts.provenance, code_version: deps.codeVersion },
      files: [stored],
      created_at: new Date().toISOString(),
    });
    await patient(() => records.putModel(card));
    logger.info({ arch: upload.arch, classes: card.classes.length }, 'model is ready');
  } catch (error) {
    const { code, message, hint } = reasonOf(error, signal);
    if (code === 'internal') logger.error({ error }, 'model could not be taken in');
    const failure = { error: { code, message, hint }, created_at: new Date().toISOString() };
    await patient(() => records.putModelFailure(id, failure));
    logger.info({ code, reason: message }, 'model is refused');
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** What the file makes: weights under fastai's names, and what the card says of them. */
async function modelOf(upload: ModelUpload, path: string) {
  const { id, owner, name, arch, normalize, sha256, bytes } = upload;
  const { format, tensors, leftOut } = await readWeights(await readFile(path));
  const fitted = fitWeights(arch, tensors);
  const head = upload.classes && headOf(fitted, upload.classes);
  const parts: NamedTensor[] = [...fitted.body].map(([partName, tensor]) => ({
    name: partName,
    shape: tensor.shape,
    values: finiteValues(tensor),
  }));
  parts.push(...(head?.tensors ?? []));
  const classes = head?.classes ?? [];
  const headLeft = head ? [] : [...(fitted.head?.tensors.values() ?? [])].map((t) => t.name);
  const metadata = { arch, classes: JSON.stringify(classes) };
  return {
    file: {
      name: 'safetensors/model.safetensors',
      contentType: 'application/octet-stream',
      bytes: writeSafetensors(parts, metadata),
    },
    facts: {
      ...{ id, owner, name, arch, normalize, classes },
      size: null,
      resize_method: null,
      head: head?.facts ?? null,
      parameters: parts
        .filter((part) => !/running_(mean|var)$/.test(part.name))
        .reduce((sum, { values }) => sum + values.length, 0),
      metrics: {},
      test_metrics: null,
      provenance: {
        source: 'uploaded',
        format,
        sha256,
        bytes,
        left_out: [...leftOut, ...fitted.leftOut, ...headLeft],
      },
    },
  };
}

/**
 * The head in the file for the classes that were named. Classes have one order everywhere, and the rows of what gives
 * the logits are put into it.
 * @throws Problem `weights_invalid` when there is no such head
 */
function headOf({ head, leftOut }: FittedWeights, named: readonly string[]) {
  if (head === null) {
    throw problem(
      'weights_invalid',
      `Classes were named, and the file has no head of fastai’s form for them${leftOut.length > 0 ? `: it has ${leftOut.slice(0, 10).join(', ')}` : ''}`,
      { hint: 'Leave `classes` out to take the body alone.' },
    );
  }
  if (head.classes !== named.length) {
    throw problem(
      'weights_invalid',
      `The head in the file tells ${head.classes} classes apart, ${named.length} were named`,
      { hint: 'Name each class, in the order of the outputs; or none, to take the body alone.' },
    );
  }
  const order = named
    .map((name, row) => ({ name, row }))
    .sort((a, b) => byCodePoint(a.name, b.name));
  const { tensors, lin_ftrs, ps, concat_pool, bn_final } = head;
  const place = (name: string) => Number(name.split('.')[1]);
  const last = Math.max(
    ...[...tensors].filter(([, { shape }]) => shape.length === 2).map(([name]) => place(name)),
  );
  return {
    classes: order.map(({ name }) => name),
    facts: { lin_ftrs, ps, concat_pool, bn_final },
    tensors: [...tensors].map(([name, tensor]) => {
      const values = finiteValues(tensor);
      if (place(name) < last) return { name, shape: tensor.shape, values };
      const width = values.length / named.length;
      const sorted = new Float32Array(values.length);
      order.forEach(({ row }, i) => {
        sorted.set(values.subarray(row * width, (row + 1) * width), i * width);
      });
      return { name, shape: tensor.shape, values: sorted };
    }),
  };
}

/** What the user is told; what time may heal goes back to the queue. */
function reasonOf(error: unknown, signal: AbortSignal): Problem {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (signal.aborted || code === 'storage_unavailable' || /^E[A-Z]+$/.test(code)) throw error;
  if (error instanceof Problem) return error;
  return problem('internal', 'The model could not be taken in', { cause: error });
}
