import { z } from 'zod';

const Average = z.enum(['binary', 'micro', 'macro', 'weighted']);
/** A name, or an object with the options of fastai's metrics.py; a bare name takes fastai's defaults. */
export const Metric = z.preprocess(
  (value) => (typeof value === 'string' ? { name: value } : value),
  z.discriminatedUnion(
    'name',
    [
      z.strictObject({ name: z.literal('accuracy') }),
      z.strictObject({ name: z.literal('error_rate') }),
      z.strictObject({ name: z.literal('top_k_accuracy'), k: z.int().min(1).max(1000).default(5) }),
      z.strictObject({ name: z.literal('precision'), average: Average.default('binary') }),
      z.strictObject({ name: z.literal('recall'), average: Average.default('binary') }),
      z.strictObject({
        name: z.literal('f_beta'),
        beta: z.number().positive().default(2),
        average: Average.default('binary'),
      }),
      z.strictObject({
        name: z.literal('kappa'),
        weights: z.enum(['linear', 'quadratic']).nullable().default(null),
      }),
      z.strictObject({ name: z.literal('matthews_corrcoef') }),
    ],
    {
      error:
        'expected accuracy, error_rate, top_k_accuracy, precision, recall, f_beta, kappa, matthews_corrcoef, or an object with such a name and its options',
    },
  ),
);
export type Metric = z.output<typeof Metric>;
