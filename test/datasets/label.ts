// labelFiles on names alone, for the tests of labelling.

import { labelFiles } from '../../src/datasets/labelling/labelling.ts';
import { type DatasetOptions, nothingSaid } from '../../src/domain/dataset.ts';
import { isImageName } from '../../src/vision/image-format.ts';

/** Labels of paths, with tables by their paths. */
export function label(
  paths: readonly string[],
  options: Partial<Omit<DatasetOptions, 'encoding'>> & { tables?: Record<string, string> } = {},
) {
  const { tables = {}, ...said } = options;
  const files = [
    ...paths.map((path) => ({ path })),
    ...Object.entries(tables).map(([path, text]) => ({ path, text })),
  ].map((file, index) => ({ index, isImage: isImageName(file.path), ...file }));
  const { files: labelled, ...rest } = labelFiles(files, { ...nothingSaid, ...said });
  return {
    labels: Object.fromEntries(labelled.map((file) => [file.path, file.label])),
    splits: Object.fromEntries(labelled.map((file) => [file.path, file.split])),
    ...rest,
  };
}
