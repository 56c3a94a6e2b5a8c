// Where a training run writes. The learner knows nothing of stores and queues: a test, a script and a
// worker each hand it a Journal of their own.

import type { EventBody } from '../domain/event.ts';

/** What a run says of its model; the worker makes the card of it. */
export type FinishedModel = {
  classes: string[];
  size: [number, number];
  resizeMethod: 'crop' | 'pad' | 'squish' | 'no';
  normalize: { mean: number[]; std: number[] } | null;
  head: { lin_ftrs: number[]; ps: number[]; concat_pool: boolean; bn_final: boolean };
  parameters: number;
  metrics: Record<string, number | null>;
  /** On the test split; null where that was not asked for. */
  testMetrics: Record<string, number | null> | null;
  /** Of the validation set, rows are what is, columns what was said; null without one. */
  confusionMatrix: number[][] | null;
  body: string;
};

/** A journal that says the same warning once. */
export function warningOnce(journal: Journal): Journal {
  const said = new Set<string>();
  return {
    artifact: (...file) => journal.artifact(...file),
    checkpoint: (bytes) => journal.checkpoint(bytes),
    modelFile: (...file) => journal.modelFile(...file),
    event(body) {
      if (body.type === 'warning') {
        if (said.has(body.message)) return;
        said.add(body.message);
      }
      journal.event(body);
    },
  };
}

export interface Journal {
  /** Says what happened; returns at once. */
  event(body: EventBody): void;
  /** A file among the job's artifacts, such as `lr_find.svg`. Resolves when it is safe with the receiver. */
  artifact(name: string, contentType: string, bytes: Uint8Array): Promise<void>;
  /** Replaces the checkpoint that a later attempt begins from. */
  checkpoint(bytes: Uint8Array): Promise<void>;
  /** A file of the model, such as `safetensors/model.safetensors`. */
  modelFile(name: string, contentType: string, bytes: Uint8Array): Promise<void>;
}
