// What a run has recorded; plain data, so that a checkpoint holds it and an artifact shows it.

import type { EpochRow, LrFindResult } from '../domain/event.ts';

type StepRow = {
  phase: number;
  epoch: number;
  step: number;
  /** Rate of the last layer group, as fastai's Recorder.lrs. */
  lr: number;
  mom: number;
  loss: number;
  smooth_loss: number;
};
export type History = { rows: EpochRow[]; steps: StepRow[]; lrFinds: LrFindResult[] };

export const newHistory = (): History => ({ rows: [], steps: [], lrFinds: [] });

/** history.csv: a row per epoch, as fastai's CSVLogger. */
export function historyCsv({ rows }: History): string {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.metrics)))];
  const lines = rows.map((row) =>
    [
      row.phase,
      row.epoch,
      row.train_loss,
      row.valid_loss ?? '',
      ...names.map((name) => row.metrics[name] ?? ''),
      row.seconds.toFixed(2),
    ].join(','),
  );
  return `${['phase', 'epoch', 'train_loss', 'valid_loss', ...names, 'seconds'].join(',')}\n${lines.join('\n')}\n`;
}
