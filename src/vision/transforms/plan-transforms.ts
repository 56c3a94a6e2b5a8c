import type { Transforms } from '../../domain/data-options.ts';
import type { Random } from '../../training/random.ts';
import { drawTransforms, getTransforms } from './get-transforms.ts';
import { type Plan, type PlanOptions, planOf } from './plan.ts';

/**
 * The plan of one image: for training one drawing of get_transforms(transforms), otherwise the resize
 * and a crop of the centre.
 */
export function planTransforms(
  transforms: Transforms | null,
  random: Random | null,
  { train, ...options }: PlanOptions & { train: boolean },
): Plan {
  const drawing =
    train && transforms && random ? drawTransforms(getTransforms(transforms), random) : [];
  return planOf(drawing, options);
}
