// The phases of a job, each with fastai's arguments and defaults.

import { z } from 'zod';
import { fraction, positive } from './bounds.ts';
import { batchSize, PaddingMode, ResizeMethod, Size, Transforms } from './data-options.ts';

const epochs = z.int().min(1).max(1000);

const rates = [
  positive,
  z.array(positive).min(1).max(8),
  z.strictObject({ slice: z.union([z.tuple([positive]), z.tuple([positive, positive])]) }),
] as const;
/** A rate for every group, one per group, or fastai's slice: [a, b] geometric, [b] = b/10 below the head. */
const SweepLr = z.union(rates, {
  error:
    'expected a positive number, a list of them (one per layer group), {"slice": [a, b]} or {"slice": [b]}',
});
export type SweepLr = z.infer<typeof SweepLr>;
/** The same, or what the last range test suggests. */
export const MaxLr = z.union(
  [...rates, z.literal('auto'), z.strictObject({ slice: z.literal('auto') })],
  {
    error:
      'expected a positive number, a list of them (one per layer group), {"slice": [a, b]}, {"slice": [b]}, "auto" or {"slice": "auto"}',
  },
);
export type MaxLr = z.infer<typeof MaxLr>;

/** true = all but the head, false = nothing, n = the first n layer groups (freeze_to), null = leave as it is. */
const Freeze = z.union([z.boolean(), z.int().min(-8).max(8)]).nullable();
/** Weight decay of this phase: one number or one per layer group; null = the optimiser's. */
const PhaseWd = z
  .union([z.number().min(0).max(10), z.array(z.number().min(0).max(10)).min(1).max(8)])
  .nullable();

/** What a phase may change: progressive resizing. The optimiser's state survives, as when assigning learn.data. */
const PhaseData = z
  .strictObject({
    size: Size.optional(),
    resize_method: ResizeMethod.optional(),
    padding_mode: PaddingMode.optional(),
    batch_size: batchSize.optional(),
    transforms: Transforms.nullable().optional(),
  })
  .nullable();

const common = {
  freeze: Freeze.default(null),
  wd: PhaseWd.default(null),
  data: PhaseData.default(null),
};

export const LrFindPhase = z.strictObject({
  type: z.literal('lr_find'),
  start_lr: SweepLr.default(1e-7),
  end_lr: SweepLr.default(10),
  num_it: z.int().min(2).max(10000).default(100),
  stop_div: z.boolean().default(true),
  skip_start: z.int().min(0).max(1000).default(10),
  skip_end: z.int().min(0).max(1000).default(5),
  ...common,
});
export const FitOneCyclePhase = z.strictObject({
  type: z.literal('fit_one_cycle'),
  epochs: epochs.default(1),
  max_lr: MaxLr.default({ slice: [3e-3] }),
  pct_start: fraction.default(0.3),
  div_factor: z.number().positive().max(1e6).default(25),
  final_div: positive.or(z.number().max(1e12)).nullable().default(null),
  moms: z.tuple([fraction, fraction]).default([0.95, 0.85]),
  tot_epochs: epochs.nullable().default(null),
  start_epoch: z.int().min(0).nullable().default(null),
  ...common,
});
const FitPhase = z.strictObject({
  type: z.literal('fit'),
  epochs: epochs.default(1),
  lr: MaxLr.default({ slice: [3e-3] }),
  ...common,
});
const FitFlatCosPhase = z.strictObject({
  type: z.literal('fit_flat_cos'),
  epochs: epochs.default(1),
  lr: MaxLr.default({ slice: [3e-3] }),
  start_pct: fraction.default(0.72),
  ...common,
});
const FineTunePhase = z.strictObject({
  type: z.literal('fine_tune'),
  epochs: epochs.default(1),
  base_lr: z.union([positive, z.literal('auto')]).default(2e-3),
  freeze_epochs: z.int().min(0).max(1000).default(1),
  lr_mult: positive.default(100),
  pct_start: fraction.default(0.3),
  div: positive.default(5),
  wd: PhaseWd.default(null),
  data: PhaseData.default(null),
});

export const Phase = z.discriminatedUnion('type', [
  LrFindPhase,
  FitOneCyclePhase,
  FitPhase,
  FitFlatCosPhase,
  FineTunePhase,
]);
export type Phase = z.infer<typeof Phase>;
