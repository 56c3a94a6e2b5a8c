import { z } from 'zod';

const share = z.number().nullable();

/** artifacts/interpretation.json: what the finished model makes of its validation set. */
export const Interpretation = z.object({
  classes: z.array(z.string()),
  /** Rows are actual, columns predicted. */
  confusion_matrix: z.array(z.array(z.int())),
  /** Most frequent first. */
  most_confused: z.array(z.object({ actual: z.string(), predicted: z.string(), count: z.int() })),
  class_scores: z.array(
    z.object({
      name: z.string(),
      /** Images of the class in the validation set. */
      images: z.int(),
      /** null where nothing was predicted as the class. */
      precision: share,
      /** null where the validation set has no image of the class. */
      recall: share,
      f1: share,
    }),
  ),
  top_losses: z.array(
    z.object({
      file: z.string(),
      predicted: z.string(),
      actual: z.string(),
      loss: z.number(),
      /** Of the actual class. */
      probability: z.number(),
      /** The image as the model saw it, small: a data URI. */
      image: z.string(),
      /** Grad-CAM of the actual class to lay over it: a data URI; null where the last activations are under 4 x 4. */
      heat: z.string().nullable(),
    }),
  ),
  tta: z
    .object({
      beta: z.number(),
      scale: z.number(),
      metrics: z.record(z.string(), z.number().nullable()),
      confusion_matrix: z.array(z.array(z.int())),
    })
    .nullable(),
});
export type Interpretation = z.infer<typeof Interpretation>;
