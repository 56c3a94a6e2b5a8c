// lr_find on an end-to-end case's model: before a fit, after it, and what an unfreeze then leaves. What was
// called stands in the file's description alone, as calls of Python.

import { fit } from '../../../src/learner/fit.ts';
import { lrFind } from '../../../src/learner/lr-find.ts';
import { phaseStart } from '../../../src/learner/run-state.ts';
import { stateDict } from '../../../src/models/state-dict.ts';
import type { Batch, Loader } from '../../../src/vision/loader.ts';
import { field, type Held } from '../precision.ts';
import type { Report } from '../report.ts';
import { loaderOf, runOf, specOf } from '../scripted-run.ts';
import { build, type E2e } from './e2e-inputs.ts';
import { lrSpec } from './lr-range.ts';

type Find = Record<string, unknown> & { moms: number[] };
export type E2eLrFind = {
  description: string;
  first_lr_find: Find;
  second_lr_find_after_fit: Find;
  after_unfreeze: Record<string, unknown>;
};

/** The case whose model and images are meant. */
export function inputsOf({ description }: E2eLrFind): string {
  const [, name] = /\b(e2e_\w+)\.json/.exec(description) ?? [];
  if (name === undefined) throw new Error(`no case named in: ${description}`);
  return name;
}

export async function e2eLrFindCases(
  file: string,
  golden: E2eLrFind,
  of: E2e,
  { report, held }: { report: Report; held: Held },
): Promise<void> {
  const { learner, train, wd, optimizer } = build(of, held, report, file);
  const [firstCall, secondCall] = calls(golden.description, 'lr_find', []);
  const [fitCall] = calls(golden.description, 'fit_one_cycle', ['epochs', 'max_lr']);
  if (!firstCall || !secondCall || !fitCall) throw new Error('not three calls in its description');
  const spec = specOf({
    head: { ps: 0 },
    optimizer,
    phases: [
      { type: 'lr_find', ...firstCall, wd, freeze: true },
      { type: 'fit_one_cycle', ...fitCall, wd },
      // "again" says: over the same rates
      { type: 'lr_find', ...firstCall, ...secondCall, wd },
    ],
  });
  const run = runOf(learner, spec, ['0', '1', '2']);
  const batches = loaderOf(train, of.image_size);
  let perEpoch: number[] = [];
  const counted: Loader = {
    ...batches,
    async *batches(...args) {
      perEpoch.push(0);
      for await (const batch of batches.batches(...args)) {
        perEpoch[perEpoch.length - 1]! += 1;
        yield batch as Batch;
      }
    },
  };
  const loaders = { train: counted, valid: null, batchSize: of.batch_size, tta: null };
  const moms: number[] = [];
  const trainStep = learner.trainStep.bind(learner);
  learner.trainStep = (batch, hyper, key) => {
    moms.push(hyper.mom);
    return trainStep(batch, hyper, key);
  };
  const [first, middle, second] = spec.phases;
  if (first?.type !== 'lr_find' || middle?.type !== 'fit_one_cycle' || second?.type !== 'lr_find')
    throw new Error('the spec has other phases than the golden file');
  const tolerance = held === 'f64' ? 1e-6 : 1e-5;
  const find = async (name: string, phase: typeof first, expected: Find) => {
    moms.length = 0;
    perEpoch = [];
    const before = stateDict(learner.model).map((t) => Array.from(t.values));
    const adam = learner.optimizer.state();
    const result = await lrFind(run, phase, loaders);
    const taken = moms.length;
    const lrs = expected.recorder_lrs as number[] | undefined;
    if (lrs) report.near(name, 'lrs', result.lrs, lrs, { rel: 1e-9 });
    const wanted =
      field<number[]>(expected, 'recorder_smooth_losses', held) ??
      field<number[]>(expected, 'smooth_losses', held);
    report.near(name, 'smoothed losses', result.losses, wanted ?? [], { abs: tolerance });
    report.near(name, 'momenta', moms, expected.moms, { rel: 1e-9 });
    const last = expected.stop_index;
    if (last !== undefined) report.same(name, 'last batch', taken - 1, last);
    const ran = expected.batches_per_epoch_run;
    if (ran !== undefined) report.same(name, 'batches of each epoch', perEpoch, ran);
    const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);
    const after = stateDict(learner.model).map((t) => Array.from(t.values));
    const restored = expected.model_and_bn_buffers_restored ?? expected.model_restored;
    report.same(name, 'model and buffers restored to the bit', same(after, before), restored);
    const left = learner.optimizer.state();
    report.same(name, 'Adam restored', same(left, adam), expected.adam_state_restored ?? true);
    const stepped = left.steps.filter((t) => t > 0);
    const entries = expected.adam_state_entries_after;
    if (entries !== undefined) report.same(name, 'moments', stepped.length, entries);
    const counters = expected.adam_step_counters_after;
    if (counters !== undefined) report.same(name, 'steps', [...new Set(stepped)], counters);
  };
  learner.applyFreeze(first.freeze);
  await find(`${file}: first`, first, golden.first_lr_find);
  run.position = phaseStart(1);
  await fit(run, middle, loaders);
  run.position = phaseStart(2);
  await find(`${file}: after a fit`, second, golden.second_lr_find_after_fit);
  learner.freezeTo(0);
  const { opt_state_entries_after_unfreeze, mom_after_unfreeze, wd_after_unfreeze } =
    golden.after_unfreeze;
  const moments = learner.optimizer.state().steps.filter((t) => t > 0).length;
  report.same(
    `${file}: unfreeze`,
    'new optimiser',
    // a new one of fastai's decays by nothing until a fit says otherwise; here each step is told
    [moments, learner.mom, new Array(learner.model.groups).fill(0)],
    [opt_state_entries_after_unfreeze, mom_after_unfreeze, wd_after_unfreeze],
  );
  learner.model.dispose();
}

/** The arguments of each call of a function, by name; `positions` names those without one. */
function calls(text: string, name: string, positions: readonly string[]) {
  return [...text.matchAll(new RegExp(`\\b${name}\\(((?:[^()]|\\([^()]*\\))*)\\)`, 'g'))].map(
    ([, inside = '']) =>
      Object.fromEntries(
        inside
          .split(/,(?![^([]*[)\]])/)
          .filter((part) => part.trim() !== '')
          .map((part, i) => {
            const [, key, value] = /^\s*(?:(\w+)\s*=)?\s*(.+?)\s*$/.exec(part) ?? [];
            const named = key ?? positions[i];
            if (named === undefined || value === undefined) throw new Error(`${name}(${inside})`);
            return [named, parsedValue(value)];
          }),
      ),
  );
}

/** A number, True, False, a list, or a slice of rates. */
function parsedValue(text: string): unknown {
  if (text === 'True' || text === 'False') return text === 'True';
  const numbers = (inside: string) =>
    inside.split(',').map((part) => (part.trim() === 'None' ? null : Number(part)));
  const [, slice] = /^slice\((.*)\)$/.exec(text) ?? [];
  if (slice !== undefined) {
    const [a = null, b] = numbers(slice);
    return lrSpec({ slice: b === undefined || b === null ? [null, a ?? 0] : [a, b] });
  }
  const [, list] = /^[[(](.*)[\])]$/.exec(text) ?? [];
  if (list !== undefined) return numbers(list);
  const value = Number(text);
  if (Number.isNaN(value)) throw new Error(`not a value: ${text}`);
  return value;
}
