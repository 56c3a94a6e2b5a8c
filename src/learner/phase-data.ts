import type { Phase } from '../domain/phase.ts';
import type { Spec } from '../domain/spec.ts';
import { createLoader, type Loader } from '../vision/loader.ts';
import type { Run } from './run-state.ts';

type Data = NonNullable<Extract<Phase, { data: unknown }>['data']>;
export type PhaseLoaders = {
  train: Loader;
  valid: Loader | null;
  batchSize: number;
  /** The validation set in a pass of test-time augmentation; null where nothing is augmented. */
  tta: ((pass: number, scale: number) => Loader) | null;
};

/** The spec's data with what a phase and those before it changed. */
export function phaseData({ data }: Spec, changes: readonly (Data | null)[]): Spec['data'] {
  return Object.assign({ ...data }, ...changes.map(definedOf));
}

/** The loaders of a phase. */
export function phaseLoaders(run: Run, changes: readonly (Data | null)[]): PhaseLoaders {
  const data = phaseData(run.spec, changes);
  const common = {
    imagesPath: run.imagesPath,
    classes: run.classes,
    size: data.size,
    resizeMethod: data.resize_method,
    paddingMode: data.padding_mode,
    batchSize: data.batch_size,
    normalize: run.normalize,
    storage: run.engine.precision,
    seed: run.spec.seed,
  };
  const validation = {
    ...common,
    items: run.valid,
    train: false,
    shuffle: false,
    dropLast: false,
  };
  const { transforms } = data;
  return {
    batchSize: data.batch_size,
    tta:
      transforms && run.valid.length > 0
        ? (pass, scale) => createLoader({ ...validation, transforms, tta: { pass, scale } })
        : null,
    train: createLoader({
      ...common,
      items: run.train,
      transforms: data.transforms,
      train: true,
      shuffle: true,
      dropLast: true,
    }),
    valid: run.valid.length === 0 ? null : createLoader({ ...validation, transforms: null }),
  };
}

function definedOf(change: Data | null): Partial<Run['spec']['data']> {
  return Object.fromEntries(
    Object.entries(change ?? {}).filter(([, value]) => value !== undefined),
  );
}
