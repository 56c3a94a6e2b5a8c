import type { Phase } from '../domain/spec.ts';
import { createLoader, type Loader } from '../vision/loader.ts';
import type { Run } from './run-state.ts';

type Data = NonNullable<Extract<Phase, { data: unknown }>['data']>;
export type PhaseLoaders = { train: Loader; valid: Loader | null; batchSize: number };

/** The loaders of a phase: the spec's data with what the phase and those before it changed. */
export function phaseLoaders(run: Run, changes: readonly (Data | null)[]): PhaseLoaders {
  const data: Run['spec']['data'] = { ...run.spec.data };
  for (const change of changes) Object.assign(data, definedOf(change));
  const common = {
    imagesPath: run.imagesPath,
    classes: run.classes,
    size: data.size,
    resizeMethod: data.resize_method,
    paddingMode: data.padding_mode,
    batchSize: data.batch_size,
    normalize: run.normalize,
    seed: run.spec.seed,
  };
  return {
    batchSize: data.batch_size,
    train: createLoader({
      ...common,
      items: run.train,
      transforms: data.transforms,
      train: true,
      shuffle: true,
      dropLast: true,
    }),
    valid:
      run.valid.length === 0
        ? null
        : createLoader({
            ...common,
            items: run.valid,
            transforms: null,
            train: false,
            shuffle: false,
            dropLast: false,
          }),
  };
}

function definedOf(change: Data | null): Partial<Run['spec']['data']> {
  return Object.fromEntries(
    Object.entries(change ?? {}).filter(([, value]) => value !== undefined),
  );
}
