import type { Transforms } from '../domain/data-options.ts';
import type { Preprocess } from '../domain/preprocess.ts';

/** Test-time augmentation as a job's `evaluation.tta`; `transforms` are those of training, null where it had none. */
export type Tta = { transforms: Transforms | null; beta: number; scale: number };

/** A model's ONNX export, as it is read from the store. */
export type ExportedModel = { onnx: Uint8Array; preprocess: Preprocess };

export type PredictRequest = {
  model: string;
  /** Encoded images; they are handed over, and are empty afterwards. */
  images: Uint8Array[];
  tta: Tta | null;
  /** Reads the model; called when the thread that takes the request does not have it. */
  read(): Promise<ExportedModel>;
};
