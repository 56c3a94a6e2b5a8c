import { applyPlan, type SourceImage } from './apply-plan.ts';
import type { Transform } from './get-transforms.ts';
import { type PlanOptions, planOf } from './plan.ts';

/** fastai's `Image.apply_tfms(list, **options)` with every argument settled; pixels in 0..1. */
export function applyTransforms(
  image: SourceImage,
  list: readonly Transform[],
  options: Partial<Omit<PlanOptions, 'inH' | 'inW'>> = {},
): { data: Float32Array; h: number; w: number } {
  const plan = planOf(list, { size: null, ...options, inH: image.h, inW: image.w });
  return { data: applyPlan(image, plan), h: plan.out[0], w: plan.out[1] };
}
