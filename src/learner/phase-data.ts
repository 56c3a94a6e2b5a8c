import type { ManifestItem } from '../domain/dataset.ts';
import type { DataOfPhase } from '../domain/phase-data.ts';
import { createLoader, type Loader } from '../vision/loader.ts';
import type { Run } from './run-state.ts';

export type PhaseLoaders = {
  train: Loader;
  valid: Loader | null;
  batchSize: number;
  /** The validation set in a pass of test-time augmentation; null where nothing is augmented. */
  tta: ((pass: number, scale: number) => Loader) | null;
};

/**
 * The loaders of the phase at hand: the one place that opens and closes them. Phases of equal data share
 * loaders, and with them the images that are decoded already.
 */
export function phaseLoaders(run: Run): {
  of(data: DataOfPhase): PhaseLoaders;
  /** Other images, as the validation set is loaded; the caller closes it. */
  evaluation(data: DataOfPhase, items: readonly ManifestItem[]): Loader;
  close(): void;
} {
  let open: { key: string; loaders: PhaseLoaders } | null = null;
  const close = () => {
    open?.loaders.train.close();
    open?.loaders.valid?.close();
    open = null;
  };
  return {
    of(data) {
      const key = JSON.stringify(data);
      if (open?.key === key) return open.loaders;
      close();
      const loaders = openLoaders(run, data);
      open = { key, loaders };
      return loaders;
    },
    evaluation: (data, items) =>
      createLoader({ ...validationOptions(run, data), items, transforms: null }),
    close,
  };
}

function validationOptions(run: Run, data: DataOfPhase) {
  return {
    imagesPath: run.imagesPath,
    classes: run.classes,
    size: data.size,
    resizeMethod: data.resize_method,
    paddingMode: data.padding_mode,
    exifOrientation: run.spec.data.exif_orientation,
    batchSize: data.batch_size,
    normalize: run.normalize,
    storage: run.engine.precision,
    seed: run.spec.seed,
    items: run.valid,
    train: false,
    shuffle: false,
    dropLast: false,
  };
}

function openLoaders(run: Run, data: DataOfPhase): PhaseLoaders {
  const validation = validationOptions(run, data);
  const { transforms } = data;
  return {
    batchSize: data.batch_size,
    tta:
      transforms && run.valid.length > 0
        ? (pass, scale) => createLoader({ ...validation, transforms, tta: { pass, scale } })
        : null,
    train: createLoader({
      ...validation,
      items: run.train,
      transforms,
      train: true,
      shuffle: true,
      dropLast: true,
    }),
    valid: run.valid.length === 0 ? null : createLoader({ ...validation, transforms: null }),
  };
}
