// Whether a spec and a data set go together. The API asks when a job is sent, the learner when it begins:
// what is known by then decides.

import { smallestSide } from './arch.ts';
import type { DatasetFacts, Sizes } from './dataset-facts.ts';
import { type DataOfPhase, dataOfPhases } from './phase-data.ts';
import { type Problem, problem } from './problem.ts';
import type { Spec } from './spec.ts';

/** Why this data set can't be trained on by this spec, every phase of it; null where nothing speaks against. */
export function misfit(spec: Spec, facts: DatasetFacts): Problem | null {
  if (facts.classes.length < 2) {
    return problem(
      'dataset_one_class',
      `Training images of at least two classes are needed, there is ${facts.classes.length}`,
    );
  }
  if (spec.evaluation.test && facts.test.images === 0) {
    return problem(
      'no_test_split',
      'evaluation.test asks for metrics on the test split, and the data set has no labelled test images',
      { errors: [{ path: 'evaluation.test', message: 'expected false: there is no test split' }] },
    );
  }
  for (const [index, data] of dataOfPhases(spec.data, spec.phases).entries()) {
    const found = misfitOfPhase(spec, facts, { index, data });
    if (found) return found;
  }
  return null;
}

/** Whether any phase takes the images in the sizes that they have. */
export function takesOwnSizes(spec: Pick<Spec, 'data' | 'phases'>): boolean {
  return dataOfPhases(spec.data, spec.phases).some(ownSize);
}

function ownSize({ size, resize_method }: DataOfPhase): boolean {
  return size === null || resize_method === 'no';
}

function misfitOfPhase(
  spec: Spec,
  facts: DatasetFacts,
  { index, data }: { index: number; data: DataOfPhase },
): Problem | null {
  const { batch_size } = data;
  const { images } = facts.train;
  if (batch_size > images) {
    const path = pathOf(spec, index, 'batch_size');
    return problem(
      'batch_too_large',
      `${path} is ${batch_size}, and there are at most ${images} training images`,
      {
        hint: `Set ${path} to at most ${Math.max(2, images)}.`,
        errors: [{ path, message: `expected at most ${images}, got ${batch_size}` }],
      },
    );
  }
  if (!ownSize(data)) return null;
  const path = pathOf(spec, index, data.size === null ? 'size' : 'resize_method');
  const splits = { training: facts.train, validation: facts.valid, test: facts.test };
  for (const [name, { sizes }] of Object.entries(splits)) {
    if (sizes === null || (name === 'test' && !spec.evaluation.test)) continue;
    const found = wrongSizes(sizes, { name, path, arch: spec.arch });
    if (found) return found;
  }
  return null;
}

function wrongSizes(
  sizes: Sizes,
  { name, path, arch }: { name: string; path: string; arch: Spec['arch'] },
): Problem | null {
  const shown = sizes.slice(0, 5).map(([width, height, n]) => `${width}x${height} (${n})`);
  const hint = path.endsWith('resize_method')
    ? `Set ${path} to "crop", "pad" or "squish".`
    : `Set ${path}, 224 for example.`;
  if (sizes.length > 1) {
    return problem(
      'sizes_differ',
      `The ${name} images have ${sizes.length} different sizes, as ${shown.join(', ')}; without a size they must all have one`,
      { hint, errors: [{ path, message: 'expected a size that all images are brought to' }] },
    );
  }
  const [only] = sizes;
  const least = smallestSide[arch];
  if (!only || Math.min(only[0], only[1]) >= least) return null;
  return problem(
    'images_too_small',
    `The ${name} images are ${only[0]}x${only[1]}; ${arch} needs at least ${least} pixels in both directions`,
    { hint, errors: [{ path, message: `expected a size of at least ${least}` }] },
  );
}

/** Where a field that holds in a phase was said: in that phase, in one before it, or for all. */
function pathOf({ phases }: Pick<Spec, 'phases'>, index: number, field: keyof DataOfPhase): string {
  for (let at = index; at >= 0; at--) {
    if (phases[at]?.data?.[field] !== undefined) return `phases.${at}.data.${field}`;
  }
  return `data.${field}`;
}
