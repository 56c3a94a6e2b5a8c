// Specs whose phases differ in every field that a phase has, on a data set of a few tiny images, run whole or
// cut: what a cut run must not differ in.

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import sharp from 'sharp';
import type { Manifest, ManifestItem } from '../../src/domain/dataset.ts';
import type { EngineInfo } from '../../src/domain/event.ts';
import { Problem } from '../../src/domain/problem.ts';
import { parseSpec } from '../../src/domain/spec.ts';
import type { Journal } from '../../src/learner/journal.ts';
import { type PipelineEnd, runPipeline } from '../../src/learner/pipeline.ts';
import { keyedRandom } from '../../src/training/random.ts';
import { newFolder } from '../fixtures/make-archive.ts';

export type TinySet = { manifest: Manifest; imagesPath: string; dir: string };

/** Images of noise, 30 x 26, of two classes by turns: 14 train, 4 validate. */
export async function tinySet({ train = 14, valid = 4 } = {}): Promise<TinySet> {
  const [width, height] = [30, 26];
  const items: ManifestItem[] = [];
  const chunks: Buffer[] = [];
  let offset = 0;
  for (let i = 0; i < train + valid; i++) {
    const random = keyedRandom(77, i);
    const level = i % 2 === 0 ? 20 : 90;
    const pixels = Uint8Array.from({ length: width * height * 3 }, () => level + random.below(120));
    const bytes = await sharp(pixels, { raw: { width, height, channels: 3 } })
      .png()
      .toBuffer();
    const split = i < train ? ('train' as const) : ('valid' as const);
    const label = i % 2 === 0 ? 'a' : 'b';
    const place = { offset, length: bytes.length, width, height, orientation: 1 };
    items.push({ file: `${split}/${label}/${i}.png`, label, split, ...place, sha256: '' });
    chunks.push(bytes);
    offset += bytes.length;
  }
  const dir = await newFolder();
  const imagesPath = join(dir, 'images.bin');
  await writeFile(imagesPath, Buffer.concat(chunks));
  const manifest = { classes: ['a', 'b'], items, digest: '', created_at: new Date().toISOString() };
  return { manifest, imagesPath, dir };
}

const oneOf = fc.constantFrom;
const rate = oneOf(1e-5, 3e-4, 2e-3, 1e-2);
const maybe = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined });

const transforms = fc.record({
  do_flip: fc.boolean(),
  flip_vert: fc.boolean(),
  max_rotate: oneOf(0, 10, 45),
  max_zoom: oneOf(1, 1.3),
  max_lighting: oneOf(0, 0.2),
  max_warp: oneOf(0, 0.2),
  p_affine: oneOf(0.5, 1),
});
const phaseData = fc.record(
  {
    size: oneOf<null | number | [number, number]>(null, 17, 24, 32, [20, 28]),
    resize_method: oneOf('crop', 'pad', 'squish', 'no'),
    padding_mode: oneOf('reflection', 'border', 'zeros'),
    batch_size: fc.integer({ min: 3, max: 7 }),
    transforms: fc.option(transforms, { nil: null }),
  },
  { requiredKeys: [] },
);

const common = (groups: number) => ({
  freeze: oneOf<null | boolean | number>(null, true, false, 1, -1, groups - 1),
  wd: fc.oneof(
    fc.constant(null),
    oneOf(0, 0.1),
    fc.array(oneOf(0, 0.01, 0.3), { minLength: groups, maxLength: groups }),
  ),
  data: fc.option(phaseData, { nil: null, freq: 4 }),
});
const rates = (groups: number, auto: boolean) =>
  fc.oneof(
    rate,
    fc.array(rate, { minLength: groups, maxLength: groups }),
    fc.record({ slice: fc.tuple(rate) }),
    fc.record({ slice: fc.tuple(oneOf(1e-5, 1e-4), oneOf(1e-3, 1e-2)) }),
    ...(auto ? [oneOf<unknown>('auto', { slice: 'auto' })] : []),
  );
const epochs = fc.integer({ min: 1, max: 2 });

function phase(groups: number, auto: boolean): fc.Arbitrary<{ type: string }> {
  const lr = rates(groups, auto);
  const cycle = fc
    .record({
      type: fc.constant('fit_one_cycle'),
      epochs,
      max_lr: lr,
      pct_start: oneOf(0, 0.3, 0.7, 1),
      div_factor: oneOf(1, 5, 25),
      final_div: oneOf(null, 100),
      moms: oneOf([0.95, 0.85], [0.9, 0.5]),
      more: fc.integer({ min: 0, max: 2 }),
      start: fc.boolean(),
      ...common(groups),
    })
    .map(({ more, start, ...own }) => ({
      ...own,
      tot_epochs: more > 0 ? own.epochs + more - 1 : null,
      start_epoch: start ? own.epochs - 1 : null,
    }));
  return fc.oneof(
    { weight: 3, arbitrary: cycle },
    fc.record({ type: fc.constant('fit'), epochs, lr, ...common(groups) }),
    fc.record({
      type: fc.constant('fit_flat_cos'),
      epochs,
      lr,
      start_pct: oneOf(0.2, 0.72),
      ...common(groups),
    }),
    fc.record({
      type: fc.constant('fine_tune'),
      epochs: fc.constant(1),
      base_lr: rate,
      freeze_epochs: fc.integer({ min: 0, max: 1 }),
      wd: common(groups).wd,
      data: common(groups).data,
    }),
    range(groups),
  );
}
const range = (groups: number) =>
  fc.record({
    type: fc.constant('lr_find'),
    num_it: fc.integer({ min: 4, max: 9 }),
    start_lr: oneOf(1e-6, 1e-4),
    end_lr: oneOf(1e-2, 1),
    stop_div: fc.boolean(),
    ...common(groups),
  });
/** Long enough that `auto` has a curve to read. */
const longRange = fc.record({
  type: fc.constant('lr_find'),
  num_it: fc.integer({ min: 24, max: 30 }),
  start_lr: fc.constant(1e-5),
  end_lr: fc.constant(0.05),
  stop_div: fc.constant(false),
  data: fc.option(phaseData, { nil: null }),
});

/** Bodies of jobs with two to four phases. */
const specs = fc
  .record({
    arch: oneOf(...Array<string>(7).fill('squeezenet1_1'), 'resnet18'),
    auto: fc.boolean(),
    seed: fc.integer({ min: 0, max: 1e6 }),
  })
  .chain(({ arch, auto, seed }) => {
    const groups = arch === 'resnet18' ? 3 : 4;
    const phases = fc.array(phase(groups, auto), { minLength: 2, maxLength: auto ? 2 : 4 });
    return fc.record({
      dataset: fc.constant('ds_01ARZ3NDEKTSV4RRFFQ69G5FAV'),
      pretrained: fc.constant(null),
      arch: fc.constant(arch),
      seed: fc.constant(seed),
      head: fc.record({ lin_ftrs: oneOf([], [16], [16, 8]), bn_final: fc.boolean() }),
      data: fc.record(
        {
          size: oneOf<null | number>(null, 20),
          batch_size: fc.integer({ min: 3, max: 7 }),
          transforms: fc.option(transforms, { nil: null }),
          normalize: oneOf(null, 'imagenet', 'batch'),
        },
        { requiredKeys: ['size', 'batch_size'] },
      ),
      optimizer: fc.record({
        train_bn: fc.boolean(),
        mixup: oneOf(null, { alpha: 0.4 }),
        label_smoothing: oneOf(null, 0.1),
      }),
      metrics: fc.constant(['accuracy', 'f_beta', 'kappa']),
      callbacks: fc.record(
        {
          early_stopping: oneOf({ patience: 0 }, { monitor: 'train_loss', patience: 1 }),
          save_best: oneOf({ monitor: 'valid_loss' }, { monitor: 'accuracy' }),
          reduce_on_plateau: fc.constant({ patience: 0, min_lr: 0 }),
          gradient_clip: fc.constant(0.5),
          bn_freeze: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
      evaluation: fc.record({ tta: maybe(fc.constant({})) }, { requiredKeys: [] }),
      phases: auto ? fc.tuple(longRange, phases).map(([first, rest]) => [first, ...rest]) : phases,
    });
  });

/** What a run gave, without its times; a run that failed gives the Problem. */
export type Given = {
  end: unknown;
  files: Record<string, string>;
  /** How often the run looked whether it is to stop: as many places it can be cut at. */
  looks: number;
};

/** Runs a spec; `cuts` says at which look each attempt is stopped, and the last one runs to the end. */
export async function runCut(
  body: unknown,
  { set, engine, cuts }: { set: TinySet; engine: EngineInfo; cuts: readonly number[] },
): Promise<Given> {
  const files: Record<string, string> = {};
  const checkpoint = join(set.dir, 'checkpoint.safetensors');
  let saved = false;
  const keep = (name: string, bytes: Uint8Array) => {
    files[name] = Buffer.from(bytes).toString('latin1');
  };
  const journal: Journal = {
    event() {},
    async artifact(name, _, bytes) {
      keep(name, bytes);
    },
    async modelFile(name, _, bytes) {
      keep(name, bytes);
    },
    async checkpoint(bytes) {
      await writeFile(checkpoint, bytes);
      saved = true;
    },
  };
  let looks = 0;
  for (const [index, cut] of [...cuts, Number.POSITIVE_INFINITY].entries()) {
    const { signal } = new AbortController();
    let own = 0;
    Object.defineProperty(signal, 'aborted', {
      get: () => {
        looks++;
        return ++own > cut;
      },
    });
    const input = {
      spec: parseSpec(body),
      manifest: set.manifest,
      imagesPath: set.imagesPath,
      pretrained: null,
      checkpointPath: saved ? checkpoint : null,
      attempt: index + 1,
      engine,
      jobId: 'job_01ARZ3NDEKTSV4RRFFQ69G5FAV',
      codeVersion: '0',
    };
    const end = await settled(runPipeline(input, journal, { signal }));
    if (end instanceof Problem || end.outcome === 'finished') {
      return {
        end: end instanceof Problem ? [end.code, end.message] : end,
        files: timeless(files),
        looks,
      };
    }
  }
  throw new Error('the last attempt was never cut, and did not end');
}

/** Checks that specs give the same end and the same bits whole and cut; answers how many made a model. */
export async function sameBitsCutAnywhere(options: {
  set: TinySet;
  engine: EngineInfo;
  runs: number;
  seed: number;
}): Promise<number> {
  const { set, engine, runs, seed } = options;
  const share = fc.double({ min: 0, max: 1, noNaN: true });
  const places = fc.array(share, { minLength: 1, maxLength: 2 });
  let finished = 0;
  await fc.assert(
    fc.asyncProperty(specs, places, async (body, cutAt) => {
      const whole = await runCut(body, { set, engine, cuts: [] });
      const cuts = cutAt.map((place) => Math.floor(place * whole.looks));
      const cut = await runCut(body, { set, engine, cuts });
      if (!Array.isArray(whole.end)) finished++;
      assert.deepEqual(cut.end, whole.end);
      assert.deepEqual(Object.keys(cut.files).sort(), Object.keys(whole.files).sort());
      for (const [name, bytes] of Object.entries(whole.files)) {
        assert.ok(cut.files[name] === bytes, `${name} differs`);
      }
    }),
    // shrinking would take longer than reading the counterexample
    { numRuns: runs, seed, endOnFailure: true },
  );
  return finished;
}

async function settled(run: Promise<PipelineEnd>): Promise<PipelineEnd | Problem> {
  try {
    return await run;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** The files without the seconds that an epoch took. */
function timeless(all: Record<string, string>): Record<string, string> {
  const { 'history.csv': _, 'report.html': __, ...files } = all;
  const history = files['history.json'];
  if (history === undefined) return files;
  return { ...files, 'history.json': history.replaceAll(/"seconds":[\d.e-]+/g, '"seconds":0') };
}

/** The history of a run that finished. */
export function historyOf({ files }: Given): {
  steps: { phase: number; epoch: number; step: number }[];
  rows: { phase: number }[];
} {
  return JSON.parse(files['history.json'] ?? '{"steps":[],"rows":[]}');
}
