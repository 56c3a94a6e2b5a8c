import type { Arch } from '../../src/domain/arch.ts';
import type { ModelCard } from '../../src/domain/model.ts';
import type { Preprocess } from '../../src/domain/preprocess.ts';
import { exportFiles } from '../../src/models/export/export-files.ts';
import type { Model } from '../../src/models/model.ts';
import type { Records } from '../../src/store/records.ts';
import { imagenetStats } from '../../src/vision/normalize.ts';

const ulid = '01ARZ3NDEKTSV4RRFFQ69G5F';

/** Puts a model with its exports where a worker would; `number` tells it from others. */
export async function storeModel(
  records: Records,
  model: Model,
  {
    number,
    arch,
    classes,
    size,
    resize_method = 'crop',
    padding_mode = 'reflection',
    exif_orientation = 'ignore',
    only = () => true,
  }: {
    number: number;
    arch: Arch;
    classes: string[];
    size: [number, number];
    only?: (file: string) => boolean;
  } & Partial<Pick<Preprocess, 'resize_method' | 'padding_mode' | 'exif_orientation'>>,
): Promise<string> {
  const suffix = `${ulid}${String(number).padStart(2, '0')}`;
  const id = `mdl_${suffix}`;
  const files: ModelCard['files'] = [];
  const facts = {
    arch,
    classes,
    size,
    resize_method,
    padding_mode,
    exif_orientation,
    ...imagenetStats,
  };
  for await (const { name, contentType, bytes } of exportFiles(model, facts)) {
    if (only(name)) files.push(await records.putModelFile(id, name, contentType, bytes));
  }
  await records.putModel({
    id,
    owner: 'ann',
    name: '',
    arch,
    classes,
    size,
    resize_method,
    normalize: imagenetStats,
    head: { lin_ftrs: [], ps: [], concat_pool: true, bn_final: false },
    parameters: 1,
    metrics: {},
    provenance: {
      job: `job_${suffix}`,
      dataset: `ds_${suffix}`,
      dataset_digest: '',
      spec_sha256: '',
      code_version: '',
      body: '',
      engine: { name: 'js', version: '', isa: '', precision: 'f32', threads: 1 },
    },
    files,
    created_at: new Date().toISOString(),
  });
  return id;
}
