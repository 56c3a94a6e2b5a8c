import { newHead } from '../../../src/domain/spec.ts';
import { Learner } from '../../../src/learner/learner.ts';
import { createModel } from '../../../src/models/create-model.ts';
import { headDropouts } from '../../../src/models/head.ts';
import { stateDict } from '../../../src/models/state-dict.ts';
import type { Report } from '../report.ts';
import { specOf } from '../scripted-run.ts';
import { leaveOut } from '../watched.ts';

type Group = { tensors: number; total: number; trainable: number; trainable_tensors: number };
type State = {
  total: number;
  trainable: number;
  groups: Group[];
  optimizer_param_groups: { tensors: number; elements: number }[];
};
type Variant = {
  c: number;
  kwargs: Partial<ReturnType<typeof newHead>>;
  head: { i: number; type: string; p?: number; params: Record<string, number[]> }[];
  frozen?: State;
  unfrozen?: State;
};
type Freeze = {
  trainable_params: number;
  trainable_tensors?: number;
  trainable_by_group?: number[];
  opt_groups?: (string[] | number)[];
};
type Golden = {
  variants: Record<string, Variant>;
  freeze_states?: Record<string, Freeze>;
  head_init_stats?: Record<string, number>;
  state_dict_keys_and_shapes?: Record<string, number[]>;
};

export async function headCases(golden: Golden, report: Report): Promise<void> {
  for (const [name, given] of Object.entries(golden.variants)) {
    await report.run(name, given, (it) => variant(name, it, report));
  }
  await stateCases(golden, report);
  // PyTorch's modules, one by one, and what an optimiser of fastai's holds before its first fit
  leaveOut(golden, ['resnet18_flat_layers']);
}

function variant(name: string, it: Variant, report: Report): void {
  // what is refused has nothing more to be held to
  if (!it.frozen || !it.unfrozen) {
    report.same(name, 'refused', attempt(it.kwargs), null);
    leaveOut(it, ['c', 'head']);
    return;
  }
  const head = newHead(specOf({ head: { ...it.kwargs } }));
  const model = createModel('resnet18', { classes: it.c, head, seed: 1 });
  const learner = learnerOf(model, true);
  const params = it.head.flatMap(({ i, params: p }) =>
    Object.entries(p).map(([key, shape]) => [`1.${i}.${key}`, shape]),
  );
  const ours = model.parameters
    .filter((parameter) => parameter.name.startsWith('1.'))
    .map((parameter) => [parameter.name, parameter.torchShape]);
  report.same(name, 'head parameters', ours, params);
  const drops = it.head.filter(({ type }) => type === 'Dropout').map(({ p }) => p);
  const own = headDropouts(head.ps, head.lin_ftrs.length).filter((p) => p !== 0);
  report.same(name, 'dropouts', own, drops);
  leaveOut(it, ['head']);
  for (const [state, freeze] of [
    ['frozen', -1],
    ['unfrozen', 0],
  ] as const) {
    learner.freezeTo(freeze);
    const expected = it[state];
    if (!expected) continue;
    report.same(
      name,
      `${state} groups`,
      groupsOf(learner),
      expected.groups.map(({ tensors, total, trainable, trainable_tensors }) => [
        tensors,
        total,
        trainable,
        trainable_tensors,
      ]),
    );
    const total = [sizeOf(learner.model.parameters), sizeOf(learner.trainable)];
    report.same(name, `${state} total`, total, [expected.total, expected.trainable]);
    for (const group of expected.groups) leaveOut(group, ['flat_layers', 'types']);
    report.same(
      name,
      `${state} buckets`,
      bucketsOf(learner).map((bucket) => [bucket.length, sizeOf(bucket)]),
      expected.optimizer_param_groups.map(({ tensors, elements }) => [tensors, elements]),
    );
  }
  model.dispose();
}

/** freeze_to in all its ways, on the default model. */
async function stateCases(golden: Golden, report: Report): Promise<void> {
  if (!golden.freeze_states && !golden.state_dict_keys_and_shapes) return;
  const build = () => createModel('resnet18', { classes: 2, head: newHead(specOf({})), seed: 1 });
  for (const [name, given] of Object.entries(golden.freeze_states ?? {})) {
    await report.run(`freeze: ${name}`, given, (expected) => {
      const model = build();
      const learner = learnerOf(model, !name.startsWith('train_bn_False'));
      for (const n of callsOf(name)) learner.freezeTo(n);
      report.same(
        `freeze: ${name}`,
        'trainable',
        sizeOf(learner.trainable),
        expected.trainable_params,
      );
      const byGroup = groupsOf(learner).map(([, , trainable]) => trainable);
      if (expected.trainable_by_group)
        report.same(`freeze: ${name}`, 'by group', byGroup, expected.trainable_by_group);
      if (expected.trainable_tensors !== undefined)
        report.same(
          `freeze: ${name}`,
          'tensors',
          learner.trainable.length,
          expected.trainable_tensors,
        );
      // ours has an optimiser from the beginning
      leaveOut(expected, ['has_opt']);
      if (expected.opt_groups) {
        const buckets = bucketsOf(learner);
        // by name where the file lists names, else by their number
        const ours = buckets.map((bucket, i) =>
          Array.isArray(expected.opt_groups?.[i]) ? bucket.map((p) => p.name) : bucket.length,
        );
        report.same(`freeze: ${name}`, 'optimiser groups', ours, expected.opt_groups);
      }
      model.dispose();
    });
  }
  const model = build();
  if (golden.state_dict_keys_and_shapes) {
    const wanted = Object.entries(golden.state_dict_keys_and_shapes).filter(
      ([key]) => !key.endsWith('num_batches_tracked'),
    );
    const ours = Object.fromEntries(stateDict(model).map(({ name, shape }) => [name, shape]));
    report.same(
      'state_dict',
      'names and shapes',
      wanted.map(([key]) => ours[key]),
      wanted.map(([, shape]) => shape),
    );
    report.same('state_dict', 'count', Object.keys(ours).length, wanted.length);
  }
  if (golden.head_init_stats) {
    const { lin1_expected, lin2_expected } = golden.head_init_stats;
    // of one drawing; biases and batch norms are the same in all
    leaveOut(golden.head_init_stats, ['lin1_std', 'lin2_std']);
    const most = (name: string) =>
      Math.max(...(stateDict(model).find((t) => t.name === name)?.values ?? []).map(Math.abs));
    const stats = golden.head_init_stats as unknown as Record<string, number | number[]>;
    report.same('head init', 'bias of 1.4', most('1.4.bias'), stats.lin1_bias_absmax);
    report.same(
      'head init',
      'batch norms',
      [most('1.2.weight'), most('1.6.weight')],
      stats.bn_weight,
    );
    report.same('head init', 'their biases', most('1.2.bias'), stats.bn_bias_absmax);
    const std = (name: string) => {
      const values = stateDict(model).find((tensor) => tensor.name === name)?.values ?? [];
      return Math.sqrt(Array.from(values).reduce((sum, v) => sum + v * v, 0) / values.length);
    };
    // a sample's own deviation: 1/sqrt(2n) of it, three times over
    report.near('head init', 'std of 1.4', std('1.4.weight'), lin1_expected ?? null, {
      rel: 0.005,
    });
    report.near('head init', 'std of 1.8', std('1.8.weight'), lin2_expected ?? null, { rel: 0.07 });
  }
  model.dispose();
}

/** What the case's name says was called. */
function callsOf(name: string): number[] {
  if (name.includes('pretrained_False')) return [];
  if (name.includes('unfreeze_then_freeze') || name.includes('freeze_again')) return [-1, 0, -1];
  const to = /freeze_to\((-?\d+)\)/.exec(name)?.[1];
  if (to !== undefined) return [-1, 0, Number(to)];
  return name.includes('unfreeze') ? [-1, 0] : [-1];
}

function learnerOf(model: Parameters<typeof groupsOf>[0]['model'], trainBn: boolean): Learner {
  const { optimizer } = specOf({ optimizer: { train_bn: trainBn } });
  return new Learner(model, { optimizer, gradientClip: null, bnFreeze: false });
}

type Sized = { name: string; variable: { size: number } };
const sizeOf = (list: Sized[]) => list.reduce((sum, { variable }) => sum + variable.size, 0);

function groupsOf(learner: Learner): number[][] {
  return [...Array(learner.model.groups).keys()].map((group) => {
    const own = learner.model.parameters.filter((parameter) => parameter.group === group);
    const trainable = learner.trainable.filter((parameter) => parameter.group === group);
    return [own.length, sizeOf(own), sizeOf(trainable), trainable.length];
  });
}

/** The optimiser's buckets by what a parameter is, in the order of its groups. */
function bucketsOf(learner: Learner): Sized[][] {
  return learner.optimizer.buckets.map((bucket) =>
    bucket.map(
      (variable) => learner.model.parameters.find((p) => p.variable === variable) as Sized,
    ),
  );
}

function attempt(kwargs: Partial<ReturnType<typeof newHead>>): unknown {
  try {
    return specOf({ head: { ...kwargs } });
  } catch {
    return null;
  }
}
