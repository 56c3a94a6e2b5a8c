import type { EngineInfo, EpochRow, LrFindResult } from '../../domain/event.ts';
import type { Interpretation } from '../../domain/interpretation.ts';
import type { Spec } from '../../domain/spec.ts';
import type { RunnablePhase } from '../../training/fine-tune.ts';
import type { StepPoint } from '../run-axis.ts';

/** Everything that a report shows of a job. */
export type ReportData = {
  job: string;
  createdAt: string;
  codeVersion: string;
  spec: Spec;
  /** As they ran: fine_tune is two. */
  phases: readonly RunnablePhase[];
  datasetDigest: string;
  engine: EngineInfo;
  /** What training began with. */
  body: string;
  parameters: number;
  /** [height, width] of the last phase. */
  size: [number, number];
  classes: readonly string[];
  /** Images per class, in the order of `classes`. */
  counts: { train: readonly number[]; valid: readonly number[] };
  lrFinds: readonly LrFindResult[];
  steps: readonly StepPoint[];
  rows: readonly EpochRow[];
  /** Of the finished model; null where there was nothing to validate on. */
  validLoss: number | null;
  metrics: Readonly<Record<string, number | null>>;
  interpretation: Interpretation | null;
};
