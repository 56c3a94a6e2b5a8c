// What contestants are asked and answer; bench/peers/*.py speak the same.

import { z } from 'zod';

/** Who it is, and in which ways it computes at each precision; we have one way, named ''. */
export const Hello = z.object({
  name: z.string(),
  threads: z.int(),
  variants: z.record(z.string(), z.array(z.string())),
});

/** {do: 'open', id, ...} makes a case ready, warmed up. */
export type OpenCase = {
  batch: number;
  size: number;
  /** Frozen as fastai freezes: the body's batch norms train, its convolutions do not. */
  freeze: boolean;
  precision: 'f32' | 'bf16';
  variant: string;
  /** Ours alone: a step on one batch again and again, batches of the loader, or a step on each of those. */
  source?: 'step' | 'loader' | 'train';
  data?: DataRef;
};
/** A prepared data set on disk, and how it is augmented. */
export type DataRef = {
  manifestPath: string;
  imagesPath: string;
  /** fastai's get_transforms() with its defaults. */
  augment: boolean;
};

/** {do: 'steps', id, count}: seconds of each. */
export const Steps = z.object({ seconds: z.array(z.number()).min(1) });

/** {do: 'profile', id, count}: the whole of these steps, and what of it native kernels took. */
export const Profile = z.object({
  seconds: z.number(),
  kernels: z.record(z.string(), z.object({ calls: z.number(), seconds: z.number() })),
});

/** {do: 'kernels', id, count}: the work of each kernel and shape, and its median time in these steps. */
export const Kernels = z.object({
  kernels: z.array(
    z.object({
      name: z.string(),
      family: z.string(),
      unit: z.enum(['flop', 'byte']),
      amount: z.number(),
      type: z.enum(['f32', 'bf16']),
      seconds: z.number(),
      calls_per_step: z.number(),
    }),
  ),
  step_seconds: z.number(),
});

/** {do: 'peaks'}: FLOP/s at each precision (0 where it is not multiplied), and bytes/s. */
export const Peaks = z.object({ f32: z.number(), bf16: z.number(), bandwidth: z.number() });
export type Peaks = z.infer<typeof Peaks>;

/** {do: 'memory'}: the most that the process has held. */
export const Memory = z.object({ peak_bytes: z.number() });

/** {do: 'seed', ...}: the seed program's parts. */
export const SeedParts = z.object({
  parts: z.array(z.object({ name: z.string(), seconds: z.number(), images: z.number() })),
  accuracy: z.number(),
});
export type SeedParts = z.infer<typeof SeedParts>;

/** {do: 'close', id} */
export const Nothing = z.object({});
