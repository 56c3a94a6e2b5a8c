// fastai's plot_top_losses: the images that the model is most wrong about, and where it looked.

import { setImmediate as macrotask } from 'node:timers/promises';
import type { ManifestItem } from '../domain/dataset.ts';
import type { DataOfPhase } from '../domain/phase-data.ts';
import { createLoader } from '../vision/loader.ts';
import { heatImage, thumbnail } from '../vision/thumbnail.ts';
import { gradCam, type HeatMap } from './grad-cam.ts';
import type { Run } from './run-state.ts';

/** fastai's heatmap_thresh: a map of fewer cells says nothing about places. */
const cellsMin = 16;
const batchMax = 16;

export type Seen = { image: string; heat: string | null };

/** Each item as the model saw it in validation, with Grad-CAM of its actual class. */
export async function picturesOf(
  run: Run,
  data: DataOfPhase,
  items: ManifestItem[],
): Promise<Seen[]> {
  if (items.length === 0) return [];
  const { learner, normalize, classes } = run;
  const loader = createLoader({
    items,
    imagesPath: run.imagesPath,
    classes,
    size: data.size,
    resizeMethod: data.resize_method,
    paddingMode: data.padding_mode,
    transforms: null,
    train: false,
    batchSize: Math.min(batchMax, data.batch_size, items.length),
    normalize,
    storage: 'f32',
    seed: run.spec.seed,
    shuffle: false,
    dropLast: false,
  });
  const seen: Seen[] = [];
  try {
    for await (const { images, shape, labels } of loader.batches(0)) {
      const pixels = images as Float32Array; // by `storage`
      const [, height, width] = shape;
      const size = height * width * 3;
      // the engine may keep what it is handed: the thumbnails need a copy of their own
      const copy = pixels.slice();
      const maps = gradCam(
        learner.model,
        { images: pixels, shape },
        { labels, classes: classes.length },
      );
      for (const [i, map] of maps.entries()) {
        const own = copy.subarray(i * size, (i + 1) * size);
        seen.push({
          image: await thumbnail(own, { height, width }, normalize),
          heat: isTelling(map) ? await heatImage(map) : null,
        });
      }
      await macrotask();
    }
  } finally {
    loader.close();
  }
  return seen;
}

function isTelling({ height, width, values }: HeatMap): boolean {
  return height * width >= cellsMin && values.every(Number.isFinite);
}
