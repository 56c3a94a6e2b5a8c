import type { Transforms } from '../../domain/data-options.ts';
import type { Random } from '../../training/random.ts';
import type { PaddingMode } from './plan.ts';
import type { Size } from './sizes.ts';

/** A transform with its arguments settled. */
export type Transform =
  | { name: 'symmetric_warp'; magnitude: readonly number[] }
  | { name: 'rotate'; degrees: number }
  | { name: 'zoom' | 'squish'; scale: number; rowPct: number; colPct: number }
  | { name: 'flip_affine' }
  | { name: 'dihedral_affine' | 'dihedral'; k: number }
  | { name: 'brightness'; change: number }
  | { name: 'contrast'; scale: number }
  | { name: 'flip_lr' }
  | { name: 'pad'; padding: number; mode: PaddingMode }
  | { name: 'crop'; size: Size; rowPct: number; colPct: number }
  | { name: 'crop_pad'; rowPct: number; colPct: number };

/** A transform that happens with probability `p`, its arguments drawn from ranges [low, high] or `fixed`. */
export type RandomTransform = {
  name: Transform['name'];
  p: number;
  ranges: Record<string, readonly [number, number]>;
  fixed?: Transform;
};

const anywhere = { row_pct: [0, 1], col_pct: [0, 1] } as const;

/** fastai's get_transforms: the training list, in its own order. */
export function getTransforms(t: Transforms): RandomTransform[] {
  const list: RandomTransform[] = [{ name: 'crop_pad', p: 1, ranges: anywhere }];
  const add = (name: Transform['name'], p: number, ranges: RandomTransform['ranges']) =>
    list.push({ name, p, ranges });
  if (t.do_flip) {
    if (t.flip_vert) add('dihedral_affine', 1, {});
    else add('flip_lr', 0.5, {});
  }
  if (t.max_warp) add('symmetric_warp', t.p_affine, { magnitude: [-t.max_warp, t.max_warp] });
  if (t.max_rotate) add('rotate', t.p_affine, { degrees: [-t.max_rotate, t.max_rotate] });
  if (t.max_zoom > 1) add('zoom', t.p_affine, { scale: [1, t.max_zoom], ...anywhere });
  if (t.max_lighting) {
    const l = t.max_lighting;
    add('brightness', t.p_lighting, { change: [0.5 * (1 - l), 0.5 * (1 + l)] });
    add('contrast', t.p_lighting, { scale: [1 - l, 1 / (1 - l)] });
  }
  // the crop behind it is the list's first, which is anywhere too
  if (t.rand_pad)
    list.push({ name: 'pad', p: 1, ranges: {}, fixed: { name: 'pad', ...t.rand_pad } });
  return list;
}

/** One drawing of a list: which transforms happen, with which arguments. */
export function drawTransforms(list: readonly RandomTransform[], random: Random): Transform[] {
  return list.flatMap(({ name, p, ranges, fixed }) => {
    const uniform = (key: string) => {
      const [low, high] = ranges[key] ?? [0, 0];
      return low + (high - low) * random.next();
    };
    return random.next() < p ? [fixed ?? drawn(name, uniform, ranges, random)] : [];
  });
}

function drawn(
  name: Transform['name'],
  uniform: (key: string) => number,
  ranges: RandomTransform['ranges'],
  random: Random,
): Transform {
  switch (name) {
    case 'symmetric_warp':
      return { name, magnitude: [0, 1, 2, 3].map(() => uniform('magnitude')) };
    case 'rotate':
      return { name, degrees: uniform('degrees') };
    case 'zoom':
    case 'squish':
      return {
        name,
        scale: uniform('scale'),
        rowPct: uniform('row_pct'),
        colPct: uniform('col_pct'),
      };
    case 'brightness':
      return { name, change: uniform('change') };
    case 'contrast': {
      // uniform in the logarithm, so that doubling is as likely as halving
      const [low, high] = ranges.scale ?? [1, 1];
      return { name, scale: low * (high / low) ** random.next() };
    }
    case 'dihedral':
    case 'dihedral_affine':
      return { name, k: random.below(8) };
    case 'crop_pad':
      return { name, rowPct: uniform('row_pct'), colPct: uniform('col_pct') };
    case 'pad':
    case 'crop':
      throw new Error(`${name} has arguments that are not drawn`);
    default:
      return { name };
  }
}
