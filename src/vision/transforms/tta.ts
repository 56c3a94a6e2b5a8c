import type { Transforms } from '../../domain/data-options.ts';
import type { Random } from '../../training/random.ts';
import { drawTransforms, getTransforms, type Transform } from './get-transforms.ts';

export const ttaPasses = 8;

/** What TTA settles itself, and so takes out of the training list. */
const settled = new Set<Transform['name']>(['crop_pad', 'flip_lr', 'dihedral', 'zoom']);

/**
 * The transforms of one image in pass 0..7 of fastai's TTA (vision/tta.py): zoomed by `scale` into a corner
 * (bit 0 the lower ones, bit 1 the right ones), flipped by bit 2, and whatever else training would draw.
 */
export function ttaTransforms(
  transforms: Transforms,
  { pass, scale }: { pass: number; scale: number },
  random: Random,
): Transform[] {
  const others = getTransforms(transforms).filter(({ name }) => !settled.has(name));
  const corner = { rowPct: pass & 1 ? 1 : 0, colPct: pass & 2 ? 1 : 0 };
  return [
    ...drawTransforms(others, random),
    { name: 'zoom', scale, ...corner },
    { name: 'crop_pad', ...corner },
    ...(pass & 4 ? [{ name: 'flip_lr' as const }] : []),
  ];
}
