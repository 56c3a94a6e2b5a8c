// A spec from its first batch to a finished model. The caller has started the engine; everything that comes
// out goes to the Journal.

import type { Manifest, ManifestItem } from '../domain/dataset.ts';
import type { EngineInfo } from '../domain/event.ts';
import { keptHeadMisfit } from '../domain/kept-head.ts';
import type { ModelCard } from '../domain/model.ts';
import type { DataOfPhase } from '../domain/phase-data.ts';
import type { Spec } from '../domain/spec.ts';
import { misfit } from '../domain/spec-fits.ts';
import { fitWarnings } from '../domain/spec-warnings.ts';
import { createModel } from '../models/create-model.ts';
import { exportFiles } from '../models/export/export-files.ts';
import { type HeadOptions, headDropouts } from '../models/head.ts';
import { loadPretrained } from '../models/pretrained.ts';
import { isHopeless } from '../training/divergence.ts';
import { createLoader } from '../vision/loader.ts';
import { batchStats, type ChannelStats, imagenetStats } from '../vision/normalize.ts';
import { diverged, fit, undefinedMetric, warn } from './fit.ts';
import { historyCsv, newHistory } from './history.ts';
import { writeInterpretation } from './interpretation.ts';
import { type FinishedModel, type Journal, warningOnce } from './journal.ts';
import { Learner } from './learner.ts';
import { lrFind } from './lr-find.ts';
import { phaseLoaders } from './phase-data.ts';
import { planPhases } from './phase-plan.ts';
import { writeReport } from './report.ts';
import { Interrupted, loadCheckpoint, phaseStart, type Run, saveCheckpoint } from './run-state.ts';
import { factsOfSplit, splitItems } from './split-items.ts';
import { evaluateTest } from './test-split.ts';
import { type Validation, validate } from './validate.ts';

export type PipelineInput = {
  spec: Spec;
  manifest: Manifest;
  imagesPath: string;
  pretrained: {
    path: string;
    name: string;
    normalize: { mean: number[]; std: number[] } | null;
    /** The model that a spec with `head: "keep"` goes on with. */
    kept: Pick<ModelCard, 'id' | 'head' | 'classes'> | null;
  } | null;
  checkpointPath: string | null;
  attempt: number;
  engine: EngineInfo;
  jobId: string;
  codeVersion: string;
};
export type PipelineEnd =
  | { outcome: 'finished'; model: FinishedModel }
  | { outcome: 'interrupted' };

/** Runs the phases that are left. @throws Problem for whatever ends a job as failed */
export async function runPipeline(
  input: PipelineInput,
  receiver: Journal,
  { signal }: { signal: AbortSignal },
): Promise<PipelineEnd> {
  const journal = warningOnce(receiver);
  const { spec, engine } = input;
  const split = { validPct: spec.data.valid_pct, seed: spec.seed };
  const parts = splitItems(input.manifest, split);
  const { train, valid, classes } = parts;
  const facts = factsOfSplit(parts, input.manifest.items, spec.data);
  const reason = misfit(spec, facts);
  if (reason) throw reason;
  const { head, kept } = headOf(input, classes);
  const model = createModel(spec.arch, { classes: classes.length, head, seed: spec.seed });
  if (input.pretrained) {
    await loadPretrained(model, { arch: spec.arch, path: input.pretrained.path, keepHead: kept });
  }
  const learner = new Learner(model, {
    optimizer: spec.optimizer,
    gradientClip: spec.callbacks.gradient_clip,
    bnFreeze: spec.callbacks.bn_freeze,
  });
  // cnn_learner freezes a pretrained body and leaves a random one alone
  if (input.pretrained) learner.freezeTo(-1);
  const body = input.pretrained?.name ?? 'none (random weights)';
  journal.event({ type: 'started', attempt: input.attempt, engine, body });
  for (const message of [...parts.warnings, ...fitWarnings(spec, facts)]) {
    journal.event({ type: 'warning', message });
  }
  const run: Run = {
    spec,
    learner,
    journal,
    signal,
    engine,
    classes,
    train,
    valid,
    imagesPath: input.imagesPath,
    normalize: await statistics(input, train, classes),
    history: newHistory(),
    position: phaseStart(0),
    best: null,
    savedAt: Date.now(),
  };
  if (input.checkpointPath) {
    Object.assign(run, await loadCheckpoint(learner, input.checkpointPath));
  }
  const loaders = phaseLoaders(run);
  try {
    await runPhases(run, loaders);
    const made = { input, body, head, test: parts.test };
    return { outcome: 'finished', model: await finish(run, loaders, made) };
  } catch (error) {
    if (error instanceof Interrupted) return { outcome: 'interrupted' };
    throw error;
  } finally {
    loaders.close();
    model.dispose();
  }
}

/** The head that training begins with: a new one, or the one that came with the body. */
function headOf(
  { spec, pretrained }: PipelineInput,
  classes: readonly string[],
): { head: HeadOptions; kept: boolean } {
  if (spec.head !== 'keep') return { head: spec.head, kept: false };
  const from = pretrained?.kept;
  if (!from) throw new Error('the head is to be kept, and no model came with the job');
  const reason = keptHeadMisfit(from, classes);
  if (reason !== null || from.head === null) throw reason;
  return { head: from.head, kept: true };
}

async function runPhases(run: Run, loaders: ReturnType<typeof phaseLoaders>): Promise<void> {
  const plans = planPhases(run.spec);
  for (const { index, phase, data } of plans.slice(run.position.phase)) {
    const own = loaders.of(data);
    if (run.position.step === 0) run.learner.applyFreeze(phase.freeze);
    if (phase.type === 'lr_find') run.history.lrFinds.push(await lrFind(run, phase, own));
    else await fit(run, phase, own);
    if (index + 1 === plans.length) return;
    run.position = phaseStart(index + 1);
    await saveCheckpoint(run);
    if (run.signal.aborted) throw new Interrupted();
  }
}

async function finish(
  run: Run,
  loaders: ReturnType<typeof phaseLoaders>,
  {
    input,
    body,
    head,
    test,
  }: {
    input: PipelineInput;
    body: string;
    head: HeadOptions;
    test: readonly ManifestItem[];
  },
): Promise<FinishedModel> {
  const { journal, spec, history, learner } = run;
  const data = lastData(spec);
  const own = loaders.of(data);
  const json = (value: unknown) => Buffer.from(JSON.stringify(value));
  await journal.artifact('history.json', 'application/json', json(history));
  await journal.artifact('history.csv', 'text/csv', Buffer.from(historyCsv(history)));
  const validation = own.valid ? await validate(run, own.valid) : null;
  if (validation) judge(run, validation);
  const interpretation =
    own.valid && validation ? await writeInterpretation(run, own, data, validation) : null;
  let testMetrics: FinishedModel['testMetrics'] = null;
  if (spec.evaluation.test) {
    const loader = loaders.evaluation(data, test);
    testMetrics = await evaluateTest(run, loader, test).finally(() => loader.close());
  }
  const files = exportFiles(learner.model, {
    arch: spec.arch,
    classes: run.classes,
    size: own.train.imageSize,
    exif_orientation: spec.data.exif_orientation,
    resize_method: data.resize_method,
    padding_mode: data.padding_mode,
    mean: run.normalize?.mean ?? [0, 0, 0],
    std: run.normalize?.std ?? [1, 1, 1],
  });
  for await (const { name, contentType, bytes } of files) {
    await journal.modelFile(name, contentType, bytes);
  }
  const provenance = { ...input, digest: input.manifest.digest };
  await writeReport(run, provenance, {
    body,
    size: own.train.imageSize,
    validation,
    interpretation,
  });
  const { ps, concat_pool, bn_final } = head;
  const lin_ftrs = [...head.lin_ftrs];
  return {
    classes: run.classes,
    size: own.train.imageSize,
    resizeMethod: data.resize_method,
    normalize: run.normalize,
    head: { lin_ftrs, ps: headDropouts(ps, lin_ftrs.length), concat_pool, bn_final },
    parameters: learner.model.parameters.reduce((sum, { variable }) => sum + variable.size, 0),
    confusionMatrix: interpretation?.confusion_matrix ?? null,
    metrics: validation ? { valid_loss: validation.loss, ...validation.metrics } : {},
    testMetrics,
    body,
  };
}

/** The data that a model is validated, and later used, with: the last phase's. */
function lastData(spec: Spec): DataOfPhase {
  return planPhases(spec).at(-1)?.data ?? spec.data;
}

/**
 * A validation loss far above guessing is worth a word, not a job: after few steps the running statistics of
 * batch norms have not settled.
 * @throws Problem `diverged` where it is NaN or infinite
 */
function judge(run: Run, { loss, metrics }: Validation): void {
  if (!Number.isFinite(loss)) {
    throw diverged('validation', loss, { ...run.position, lr: run.history.rows.at(-1)?.lr ?? [] });
  }
  if (isHopeless(loss, run.classes.length)) {
    warn(
      run,
      `The last validation loss is ${loss.toPrecision(3)}, far worse than guessing. The model is kept; after few steps the statistics of its batch norms have not settled: train longer, or lower max_lr.`,
    );
  }
  for (const [name, value] of Object.entries(metrics)) {
    if (value === null) warn(run, undefinedMetric(name));
  }
}

async function statistics(
  input: PipelineInput,
  train: ManifestItem[],
  classes: string[],
): Promise<ChannelStats | null> {
  const { normalize } = input.spec.data;
  const data = planPhases(input.spec)[0]?.data ?? input.spec.data;
  if (normalize === null) return null;
  if (typeof normalize === 'object') return normalize;
  if (normalize === 'imagenet') return imagenetStats;
  if (normalize === 'pretrained')
    return (input.pretrained?.normalize ?? null) as ChannelStats | null;
  const loader = createLoader({
    items: train,
    imagesPath: input.imagesPath,
    classes,
    size: data.size,
    resizeMethod: data.resize_method,
    paddingMode: data.padding_mode,
    exifOrientation: input.spec.data.exif_orientation,
    transforms: data.transforms,
    train: true,
    batchSize: data.batch_size,
    normalize: null,
    storage: 'f32',
    seed: input.spec.seed,
    shuffle: true,
    dropLast: true,
  });
  try {
    for await (const { images } of loader.batches(0)) {
      if (images instanceof Float32Array) return batchStats(images);
    }
    return null;
  } finally {
    loader.close();
  }
}
