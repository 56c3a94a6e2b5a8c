// The training spec: one JSON document, each field with fastai v1's default. parseSpec returns it
// complete, so that a stored spec says everything that a run depended on.

import { z } from 'zod';
import { Arch, layerGroups, smallestSide } from './arch.ts';
import { fraction, positive } from './bounds.ts';
import { DataOptions, type Normalize, type Size } from './data-options.ts';
import { fieldErrors } from './field-errors.ts';
import { DatasetId, ModelId } from './ids.ts';
import { Metric } from './metric.ts';
import { type MaxLr, Phase, type SweepLr } from './phase.ts';
import { type FieldError, problem } from './problem.ts';

/** With fewer steps a range test leaves less than ten points of its curve: [num_it//10:-5]. */
const autoStepsMin = 17;

const monitor = {
  /** valid_loss, train_loss, or the name of one of `metrics`. */
  monitor: z.string().default('valid_loss'),
  /** auto: min if the name holds "loss" or "error", else max. */
  mode: z.enum(['auto', 'min', 'max']).default('auto'),
};

const seedPhases = [
  { type: 'lr_find' as const },
  { type: 'fit_one_cycle' as const, epochs: 1, max_lr: 3e-2, freeze: true },
  {
    type: 'fit_one_cycle' as const,
    epochs: 1,
    max_lr: { slice: [1e-6, 1e-4] as [number, number] },
    freeze: false,
  },
];

const Head = z.strictObject({
  lin_ftrs: z.array(z.int().min(1).max(8192)).max(8).default([512]),
  ps: z
    .union([z.number().min(0).max(0.99), z.array(z.number().min(0).max(0.99)).min(1).max(9)])
    .default(0.5),
  concat_pool: z.boolean().default(true),
  bn_final: z.boolean().default(false),
});

const SpecInput = z.strictObject({
  dataset: DatasetId,
  name: z.string().max(200).default(''),
  seed: z.int().min(0).max(4294967295).default(42),
  /** 0 runs first; up to 100. */
  priority: z.int().min(0).max(100).default(0),
  arch: Arch.default('resnet18'),
  pretrained: z
    .union([
      ModelId,
      z
        .string()
        .regex(
          /^(?!mdl_)[a-z0-9][a-z0-9._-]{0,99}$/,
          'expected null, "imagenet", a mdl_ id or a name in the zoo',
        ),
    ])
    .nullable()
    .default('imagenet'),
  /** "keep": the head of the model that `pretrained` names, for a data set of the same classes. */
  head: z.union([z.literal('keep'), Head], 'expected "keep", or lin_ftrs, ps …').prefault({}),
  data: DataOptions.prefault({}),
  optimizer: z
    .strictObject({
      wd: z.number().min(0).max(10).default(0.01),
      true_wd: z.boolean().default(true),
      bn_wd: z.boolean().default(true),
      beta2: z.number().min(0).max(0.999999).default(0.99),
      eps: z.number().positive().max(1).default(1e-8),
      train_bn: z.boolean().default(true),
      mixup: z
        .strictObject({ alpha: z.number().positive().max(10).default(0.4) })
        .nullable()
        .default(null),
      label_smoothing: z.number().gt(0).lt(1).nullable().default(null),
    })
    .prefault({}),
  metrics: z.array(Metric).min(0).max(16).prefault(['accuracy', 'error_rate']),
  precision: z.enum(['auto', 'f32', 'bf16']).default('auto'),
  phases: z.array(Phase).min(1).max(20).prefault(seedPhases),
  callbacks: z
    .strictObject({
      /** Ends a phase when more than `patience` epochs brought no improvement; under one-cycle that cuts off
       * the part of the cycle that settles, as it does in fastai. */
      early_stopping: z
        .strictObject({
          ...monitor,
          min_delta: z.number().min(0).default(0),
          patience: z.int().min(0).default(0),
        })
        .nullable()
        .default(null),
      /** Keeps the best epoch's weights, and restores them at the end of the phase. */
      save_best: z.strictObject(monitor).nullable().default(null),
      /** Multiplies the rate by `factor`. As in fastai it writes the last group's rate to every group, which
       * ends discriminative rates, and a schedule overwrites it at the next step: it works under `fit` only. */
      reduce_on_plateau: z
        .strictObject({
          ...monitor,
          patience: z.int().min(0).default(0),
          factor: z.number().gt(0).lt(1).default(0.2),
          min_delta: z.number().min(0).default(0),
          min_lr: z.number().min(0).default(0.001),
        })
        .nullable()
        .default(null),
      /** Gradients' global L2 norm is clipped to this. */
      gradient_clip: positive.nullable().default(null),
      /** Frozen batch norms keep their running statistics too (fastai BnFreeze). */
      bn_freeze: z.boolean().default(false),
    })
    .prefault({}),
  evaluation: z
    .strictObject({
      /** Test-time augmentation of the final interpretation; needs transforms. */
      tta: z
        .strictObject({
          beta: fraction.default(0.4),
          scale: z.number().min(1).max(4).default(1.35),
        })
        .nullable()
        .default(null),
      /** Metrics of the final model on the test split, in the model's card and test.json. */
      test: z.boolean().default(false),
      top_losses: z.int().min(0).max(100).default(9),
    })
    .prefault({}),
});

/** What a caller may send. */
export const Spec = SpecInput.superRefine((spec, context) => {
  for (const error of contradictions(spec)) {
    context.addIssue({
      code: 'custom',
      path: error.path.split('.').map((part) => (/^\d+$/.test(part) ? Number(part) : part)),
      message: error.message,
    });
  }
}).transform((spec) => ({
  ...spec,
  data: {
    ...spec.data,
    // fastai: an int size crops, a pair squishes
    resize_method:
      spec.data.resize_method ??
      (Array.isArray(spec.data.size) ? ('squish' as const) : ('crop' as const)),
    normalize:
      spec.data.normalize !== undefined ? spec.data.normalize : defaultNormalize(spec.pretrained),
  },
}));
/** A spec with every default in place. */
export type Spec = z.output<typeof Spec>;

/** The new head that a spec describes. @throws when it keeps one instead */
export function newHead({ head }: Spec): z.output<typeof Head> {
  if (head === 'keep') throw new Error('the spec keeps a head: its model says which');
  return head;
}

function defaultNormalize(pretrained: string | null): Normalize {
  if (pretrained === null) return null;
  // any other name has statistics of its own, which the zoo knows
  return pretrained === 'imagenet' ? 'imagenet' : 'pretrained';
}

/**
 * The complete spec of a request body.
 * @throws Problem `invalid_spec` that names every bad field with what was expected there.
 */
export function parseSpec(body: unknown): Spec {
  const result = Spec.safeParse(body, { reportInput: true });
  if (result.success) return result.data;
  const errors = fieldErrors(result.error);
  const named = errors.slice(0, 20).map(({ path }) => path || '(body)');
  throw problem(
    'invalid_spec',
    `The spec has ${errors.length} bad field${errors.length === 1 ? '' : 's'}: ${named.join(', ')}${errors.length > named.length ? ', …' : ''}`,
    { errors },
  );
}

/** What no single field can tell: values that fastai would take in silence and do something else with. */
function contradictions(spec: z.output<typeof SpecInput>): FieldError[] {
  const errors: FieldError[] = [];
  const say = (path: string, message: string) => errors.push({ path, message });
  if (spec.head === 'keep' && !spec.pretrained?.startsWith('mdl_'))
    say('head', '"keep" needs the head of a model: expected "pretrained": "mdl_…"');
  const { ps, lin_ftrs } = spec.head === 'keep' ? { ps: 0, lin_ftrs: [] } : spec.head;
  if (Array.isArray(ps) && ps.length !== 1 && ps.length !== lin_ftrs.length + 1) {
    say(
      'head.ps',
      `expected one value or ${lin_ftrs.length + 1} (one per linear layer: lin_ftrs plus the last), got ${ps.length}; fastai would drop the final layers in silence`,
    );
  }
  let lastFind: { path: string; num_it: number } | null = null;
  const groups = layerGroups[spec.arch];
  const least = smallestSide[spec.arch];
  const tooSmall = (path: string, size: z.output<typeof Size> | undefined) => {
    if (size !== null && size !== undefined && Math.min(...[size].flat()) < least)
      say(
        path,
        `expected at least ${least}, which ${spec.arch} needs, got ${JSON.stringify(size)}`,
      );
  };
  tooSmall('data.size', spec.data.size);
  const perGroup = (what: string, got: number) =>
    `expected ${groups} ${what}, one per layer group of ${spec.arch}, got ${got}`;
  spec.phases.forEach((phase, index) => {
    const path = `phases.${index}`;
    tooSmall(`${path}.data.size`, phase.data?.size);
    if (Array.isArray(phase.wd) && phase.wd.length !== groups)
      say(`${path}.wd`, perGroup('values', phase.wd.length));
    const most = groups - 1;
    if ('freeze' in phase && typeof phase.freeze === 'number' && Math.abs(phase.freeze) > most)
      say(
        `${path}.freeze`,
        `expected -${most}..${most}: ${spec.arch} has ${groups} layer groups, got ${phase.freeze}`,
      );
    if (phase.type === 'lr_find') {
      for (const { field, message } of sweepErrors(phase, groups)) say(`${path}.${field}`, message);
      lastFind = { path, num_it: phase.num_it };
      return;
    }
    const lr =
      phase.type === 'fine_tune'
        ? phase.base_lr
        : phase.type === 'fit_one_cycle'
          ? phase.max_lr
          : phase.lr;
    const field =
      phase.type === 'fine_tune' ? 'base_lr' : phase.type === 'fit_one_cycle' ? 'max_lr' : 'lr';
    if (isAuto(lr)) {
      if (!lastFind) say(`${path}.${field}`, '"auto" needs an lr_find phase before it');
      else if (lastFind.num_it < autoStepsMin)
        say(
          `${lastFind.path}.num_it`,
          `expected at least ${autoStepsMin} for the "auto" of ${path}.${field}, got ${lastFind.num_it}`,
        );
    }
    if (Array.isArray(lr) && lr.length !== groups)
      say(`${path}.${field}`, perGroup('rates', lr.length));
    if (phase.type === 'fit_one_cycle') {
      if (phase.final_div !== null && phase.final_div <= 0)
        say(`${path}.final_div`, 'expected a positive number');
      const total = phase.tot_epochs ?? phase.epochs;
      if (phase.epochs > total)
        say(
          `${path}.epochs`,
          `expected at most tot_epochs (${total}), got ${phase.epochs}; fastai would train one extra batch and stop`,
        );
      if (phase.start_epoch !== null && phase.start_epoch >= phase.epochs)
        say(
          `${path}.start_epoch`,
          `expected less than epochs (${phase.epochs}), got ${phase.start_epoch}`,
        );
    }
  });
  const names = ['valid_loss', 'train_loss', ...spec.metrics.map((metric) => metric.name)];
  for (const key of ['early_stopping', 'save_best', 'reduce_on_plateau'] as const) {
    const callback = spec.callbacks[key];
    if (callback && !names.includes(callback.monitor))
      say(
        `callbacks.${key}.monitor`,
        `expected one of ${names.join(', ')}, got ${callback.monitor}`,
      );
  }
  spec.metrics.forEach((metric, index) => {
    if (spec.metrics.findIndex((other) => other.name === metric.name) !== index)
      say(`metrics.${index}`, `${metric.name} is named twice`);
  });
  return errors;
}

/** Where a range test has the wrong number of rates, or a group whose rate would not grow. */
function sweepErrors(
  { start_lr, end_lr }: Extract<Phase, { type: 'lr_find' }>,
  groups: number,
): { field: string; message: string }[] {
  const given = { start_lr, end_lr };
  const wrong = Object.entries(given).flatMap(([field, lr]) =>
    Array.isArray(lr) && lr.length !== groups
      ? [{ field, message: `expected ${groups} rates, one per layer group, got ${lr.length}` }]
      : [],
  );
  if (wrong.length > 0) return wrong;
  const lists = Array.isArray(start_lr) && Array.isArray(end_lr);
  const [from, to] = lists ? [start_lr, end_lr] : [outerRates(start_lr), outerRates(end_lr)];
  const at = to.findIndex((end, i) => end <= (from[i] ?? 0));
  if (at < 0) return [];
  const where = from.every((lr) => lr === from[0])
    ? ''
    : ` in layer group ${lists || at === 0 ? at : groups - 1}`;
  return [
    {
      field: 'end_lr',
      message: `expected more than start_lr${where} (${from[at]}), got ${to[at]}`,
    },
  ];
}

/** The first and the last layer group's rate. */
function outerRates(lr: SweepLr): [number, number] {
  if (typeof lr === 'number') return [lr, lr];
  const [a = 0, b] = Array.isArray(lr) ? [lr[0], lr.at(-1)] : lr.slice;
  return b === undefined ? [a / 10, a] : [a, b];
}

function isAuto(lr: MaxLr): boolean {
  return lr === 'auto' || (typeof lr === 'object' && !Array.isArray(lr) && lr.slice === 'auto');
}
