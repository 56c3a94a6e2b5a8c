// A run in hand: what every phase shares, and how it is written down so that another process goes on.

import { readFile } from 'node:fs/promises';
import { setImmediate as macrotask } from 'node:timers/promises';
import type { ManifestItem } from '../domain/dataset.ts';
import type { EngineInfo } from '../domain/event.ts';
import type { Spec } from '../domain/spec.ts';
import { loadStateDict, stateDict } from '../models/state-dict.ts';
import {
  type NamedTensor,
  readSafetensors,
  writeSafetensors,
} from '../models/weights/safetensors.ts';
import { newSmoothing, type Smoothing } from '../training/smoothing.ts';
import { newTracker, type TrackerState } from '../training/trackers.ts';
import type { ChannelStats } from '../vision/normalize.ts';
import { type History, newHistory } from './history.ts';
import type { Journal } from './journal.ts';
import type { Learner } from './learner.ts';

const checkpointEveryMs = 60_000;

/** Where training stands: `step` steps of `phase` are done. The rest belongs to the phase that runs. */
export type Position = {
  phase: number;
  step: number;
  smoothing: Smoothing;
  earlyStopping: TrackerState;
  saveBest: TrackerState;
  plateau: TrackerState;
  /** Rates that reduce_on_plateau has set, for a phase of constant rate. */
  reducedLr: number | null;
  /** How many steps in a row the loss was hopeless. */
  hopeless: number;
};

export type Run = {
  spec: Spec;
  learner: Learner;
  journal: Journal;
  signal: AbortSignal;
  engine: EngineInfo;
  classes: string[];
  train: ManifestItem[];
  valid: ManifestItem[];
  imagesPath: string;
  normalize: ChannelStats | null;
  history: History;
  position: Position;
  /** The best weights so far of a phase with save_best. */
  best: NamedTensor[] | null;
  savedAt: number;
};

/** Thrown inside a phase when the signal asks to stop; the checkpoint is written by then. */
export class Interrupted extends Error {}

export function phaseStart(phase: number): Position {
  return {
    phase,
    step: 0,
    smoothing: newSmoothing,
    earlyStopping: newTracker,
    saveBest: newTracker,
    plateau: newTracker,
    reducedLr: null,
    hopeless: 0,
  };
}

/**
 * Between two steps: lets the process breathe, writes a checkpoint when it is time.
 * @throws Interrupted
 */
export async function betweenSteps(run: Run): Promise<void> {
  await macrotask();
  if (!run.signal.aborted && Date.now() - run.savedAt < checkpointEveryMs) return;
  await saveCheckpoint(run);
  if (run.signal.aborted) throw new Interrupted();
}

/** Writes everything that a later attempt needs to go on to the bit. */
export async function saveCheckpoint(run: Run): Promise<void> {
  const { learner, position, history } = run;
  const { steps, m, v } = learner.optimizer.state();
  const list = (prefix: string, arrays: ArrayLike<number>[]): NamedTensor[] =>
    arrays.map((values, i) => ({
      name: `${prefix}.${i}`,
      shape: [values.length],
      values: Float32Array.from(values),
    }));
  const best = (run.best ?? []).map((tensor) => ({ ...tensor, name: `best.${tensor.name}` }));
  const tensors = [
    ...stateDict(learner.model),
    ...list('adam.m', m),
    ...list('adam.v', v),
    ...best,
  ];
  // JSON has no NaN: a smoothing that has seen nothing is written as null
  const meta = { position, history, steps, mom: learner.mom, frozen: learner.frozen };
  await run.journal.checkpoint(writeSafetensors(tensors, { onecycle: JSON.stringify(meta) }));
  run.savedAt = Date.now();
  const row = history.rows.length;
  const place = { phase: position.phase, epoch: row, step: position.step, steps: position.step };
  run.journal.event({ type: 'checkpoint.saved', ...place });
}

/** Puts a checkpoint back into the learner; returns where it stood. */
export async function loadCheckpoint(
  learner: Learner,
  path: string,
): Promise<Pick<Run, 'position' | 'history' | 'best'>> {
  const { tensors, metadata } = readSafetensors(await readFile(path));
  const meta = JSON.parse(metadata.onecycle ?? '{}');
  loadStateDict(learner.model, (name) => tensors.get(name)?.values);
  learner.frozen = meta.frozen;
  const array = (name: string) => tensors.get(name)?.values ?? new Float32Array(0);
  learner.optimizer.load({
    steps: meta.steps,
    m: meta.steps.map((_: number, i: number) => array(`adam.m.${i}`)),
    v: meta.steps.map((_: number, i: number) => array(`adam.v.${i}`)),
  });
  learner.mom = meta.mom;
  const best = [...tensors.values()]
    .filter(({ name }) => name.startsWith('best.'))
    .map((tensor) => ({ ...tensor, name: tensor.name.slice('best.'.length) }));
  const position: Position = meta.position;
  position.smoothing.value ??= Number.NaN;
  return { position, history: meta.history ?? newHistory(), best: best.length > 0 ? best : null };
}
