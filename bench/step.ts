// Whole training steps of ResNet-18: images per second beside PyTorch (its best way at each precision) and
// beside the referee `js`; how much of a step is native kernels; and the memory that a trainer takes.

import { startContestant } from './child.ts';
import { contest, type Entrant } from './contest.ts';
import { inWorkDir, photos } from './data.ts';
import { benchOptions } from './options.ts';
import { type Ours, startOurs } from './ours.ts';
import { findPeers, type Peer } from './peer.ts';
import { Hello, Memory, Nothing, type OpenCase, Profile, Steps } from './protocol.ts';
import { compared, figures, percent, printTable, type Row } from './table.ts';

type StepRow = Row & {
  /** Share of the step that native kernels take; the rest is overhead. */
  kernel_share: number | null;
  peak_bytes: number | null;
};
type Shape = { batch: number; size: number; freeze: boolean; stepsPerRound: number };

const options = benchOptions({ rounds: 5 });
// the first step of a turn begins with cold caches: the others should be more
const shapes: Shape[] = options.quick
  ? [{ batch: 4, size: 28, freeze: false, stepsPerRound: 1 }]
  : [
      { batch: 64, size: 28, freeze: true, stepsPerRound: 8 },
      { batch: 64, size: 28, freeze: false, stepsPerRound: 8 },
      { batch: 32, size: 224, freeze: true, stepsPerRound: 3 },
      { batch: 32, size: 224, freeze: false, stepsPerRound: 3 },
    ];

const { ours, machine } = await startOurs(options);
console.log(machine);
const peers = await findPeers('pytorch.py', { threads: ours[0].hello.threads });
const rows: StepRow[] = [];
for (const contestant of ours) {
  for (const shape of shapes) rows.push(await besidePyTorch(contestant, shape));
}
for (const { child } of peers) await child.stop();
rows.push(await besideReferee(ours[0]));
for (const { child } of ours) await child.stop();
rows.push(await memoryOfTrainer((ours.at(-1) ?? ours[0]).precision));

printTable(
  { machine, rows },
  {
    'ResNet-18, training step': (row) => `${row.case}, ${row.size} px, batch ${row.batch}`,
    precision: (row) => row.precision,
    'images/s': (row) => figures(row.images_per_second),
    'peer’s': (row) => figures(row.peer_images_per_second),
    ratio: (row) => figures(row.ratio),
    peer: (row) => row.peer ?? '-',
    'in kernels': (row) => percent(row.kernel_share),
    'peak memory': ({ peak_bytes }) =>
      peak_bytes === null ? '-' : `${(peak_bytes / 1e9).toFixed(2)} GB`,
  },
  options,
);

async function besidePyTorch({ child, precision }: Ours, shape: Shape): Promise<StepRow> {
  const { stepsPerRound, ...size } = shape;
  const mine: OpenCase = { ...size, precision, variant: '' };
  const theirs = peers.flatMap((peer) => entrantsOf(peer, { ...size, precision }));
  const entrants = [{ name: 'ours', child, open: mine }, ...theirs];
  const [first, ...others] = await contest(entrants, { rounds: options.rounds, stepsPerRound });
  const best = others.toSorted((a, b) => b.imagesPerSecond - a.imagesPerSecond)[0] ?? null;
  return {
    case: nameOf(shape),
    batch: shape.batch,
    size: shape.size,
    precision,
    ...compared(first?.imagesPerSecond ?? Number.NaN, best),
    kernel_share: await kernelShare(child, mine, stepsPerRound),
    peak_bytes: null,
  };
}

/** One entrant per way in which this PyTorch computes; the best one counts. */
function entrantsOf({ child, hello }: Peer, open: Omit<OpenCase, 'variant'>): Entrant[] {
  return (hello.variants[open.precision] ?? []).map((variant) => ({
    name: `${hello.name}, ${variant}`,
    child,
    open: { ...open, variant },
  }));
}

async function kernelShare(child: Ours['child'], open: OpenCase, steps: number): Promise<number> {
  const id = 'profiled';
  await child.ask(Nothing, { do: 'open', id, ...open });
  const { seconds, kernels } = await child.ask(Profile, { do: 'profile', id, count: 3 * steps });
  await child.ask(Nothing, { do: 'close', id });
  return Object.values(kernels).reduce((sum, kernel) => sum + kernel.seconds, 0) / seconds;
}

/** The engine in plain TypeScript is slow: a small batch, and no more rounds than a median needs. */
async function besideReferee({ child, precision }: Ours): Promise<StepRow> {
  const shape = { batch: 4, size: 28, freeze: false };
  const referee = startContestant({ engine: 'js', precision: 'f32', threads: null });
  const { name } = await referee.ask(Hello, { do: 'hello' });
  const open: OpenCase = { ...shape, precision: 'f32', variant: '' };
  const [first, second] = await contest(
    [
      { name: 'ours', child, open },
      { name: `engine ${name}`, child: referee, open },
    ],
    { rounds: Math.min(3, options.rounds), stepsPerRound: 1 },
  );
  await referee.stop();
  return {
    case: nameOf(shape),
    batch: shape.batch,
    size: shape.size,
    precision,
    ...compared(first?.imagesPerSecond ?? Number.NaN, second ?? null),
    kernel_share: null,
    peak_bytes: null,
  };
}

/** A process that does what a trainer does, and nothing else: the loader on photos, augmented, and the step. */
async function memoryOfTrainer(precision: Ours['precision']): Promise<StepRow> {
  const shape = options.quick
    ? { batch: 4, size: 32, freeze: false }
    : { batch: 64, size: 224, freeze: false };
  return await inWorkDir(async (workDir) => {
    const { manifestPath, imagesPath } = await photos(workDir, { made: options.quick ? 8 : null });
    const child = startContestant({ engine: 'onednn', precision, threads: options.threads });
    await child.ask(Hello, { do: 'hello' });
    const data = { manifestPath, imagesPath, augment: true };
    const open: OpenCase = { ...shape, precision, variant: '', source: 'train', data };
    const id = 'trainer';
    await child.ask(Nothing, { do: 'open', id, ...open });
    const { seconds } = await child.ask(Steps, { do: 'steps', id, count: options.quick ? 1 : 3 });
    const { peak_bytes } = await child.ask(Memory, { do: 'memory' });
    await child.stop();
    const total = seconds.reduce((sum, value) => sum + value, 0);
    return {
      case: 'all trained, with the loader',
      batch: shape.batch,
      size: shape.size,
      precision,
      ...compared((shape.batch * seconds.length) / total, null),
      kernel_share: null,
      peak_bytes,
    };
  });
}

function nameOf({ freeze }: { freeze: boolean }): string {
  return freeze ? 'body frozen' : 'all trained';
}
