// The seed program from its first batch to its last validation, beside real fastai v1 on the same images:
// lr_find, a frozen epoch, a fine-tuning epoch. Preparing the data is no part of it, on either side.

import type { Child } from './child.ts';
import { median } from './contest.ts';
import { asFolder, type BenchData, inWorkDir, mnistSample } from './data.ts';
import { benchOptions } from './options.ts';
import { startOurs } from './ours.ts';
import { findPeers } from './peer.ts';
import { SeedParts } from './protocol.ts';
import { compared, figures, printTable, type Row } from './table.ts';

type DemoRow = Row & {
  seconds: number;
  peer_seconds: number | null;
  /** Ours / the peer's time: .5 is twice as fast. */
  time_ratio: number | null;
};
type Runner = { name: string; precision: string; run: () => Promise<SeedParts>; runs: SeedParts[] };

const size = 28;
const batch = 64;
const options = benchOptions({ rounds: 1 });
const numIt = options.quick ? 3 : 100;

const { ours, machine } = await startOurs(options);
console.log(machine);
const peers = await findPeers('fastai-v1.py', { threads: ours[0].hello.threads });
const rows = await inWorkDir(async (workDir) => {
  const data = await mnistSample(workDir, { itemsMax: options.quick ? 128 : null });
  const folder = peers.length > 0 ? await asFolder(data, workDir) : '';
  const mine = ours.map(({ child, precision }) => runner('ours', precision, ourRun(child, data)));
  const theirs = peers.map(({ child, hello }) =>
    runner(hello.name, 'f32', () => child.ask(SeedParts, { do: 'seed', folder, numIt })),
  );
  for (let round = 0; round < options.rounds; round++) {
    for (const each of [...mine, ...theirs]) each.runs.push(await each.run());
  }
  const best = theirs.toSorted((a, b) => median(totals(a)) - median(totals(b)))[0] ?? null;
  return mine.flatMap((each) => rowsOf(each, best));
});
for (const { child } of [...ours, ...peers]) await child.stop();

printTable(
  { machine, rows },
  {
    'seed program, MNIST_SAMPLE': (row) => row.case,
    precision: (row) => row.precision,
    seconds: (row) => figures(row.seconds),
    'peer’s': (row) => figures(row.peer_seconds),
    'of its time': (row) => figures(row.time_ratio),
    'images/s': (row) => figures(row.images_per_second),
    'peer’s images/s': (row) => figures(row.peer_images_per_second),
    peer: (row) => row.peer ?? '-',
  },
  options,
);

function runner(name: string, precision: string, run: Runner['run']): Runner {
  return { name, precision, run, runs: [] };
}

function ourRun(child: Child, { manifestPath, imagesPath }: BenchData): Runner['run'] {
  const data = { manifestPath, imagesPath, augment: false };
  return () => child.ask(SeedParts, { do: 'seed', data, numIt });
}

/** A row per part, and one for all of it; of several rounds the medians. */
function rowsOf(mine: Runner, peer: Runner | null): DemoRow[] {
  const names = mine.runs[0]?.parts.map(({ name }) => name) ?? [];
  const row = (name: string, of: (runs: SeedParts) => { seconds: number; images: number }) => {
    const figuresOf = ({ runs }: Runner) => {
      const parts = runs.map(of);
      const seconds = median(parts.map((part) => part.seconds));
      // lr_find ends where the loss explodes: how many steps that takes is chance, on both sides
      return {
        seconds,
        imagesPerSecond: median(parts.map((part) => part.images / part.seconds)),
      };
    };
    const [own, other] = [figuresOf(mine), peer && figuresOf(peer)];
    return {
      case: name,
      batch,
      size,
      precision: mine.precision,
      ...compared(own.imagesPerSecond, peer && other && { name: peer.name, ...other }),
      seconds: own.seconds,
      peer_seconds: other?.seconds ?? null,
      time_ratio: other ? own.seconds / other.seconds : null,
    };
  };
  return [
    ...names.map((name, i) => row(name, ({ parts }) => parts[i] ?? { seconds: 0, images: 0 })),
    row('all three', ({ parts }) => ({
      seconds: parts.reduce((sum, { seconds }) => sum + seconds, 0),
      images: parts.reduce((sum, { images }) => sum + images, 0),
    })),
  ];
}

function totals({ runs }: Runner): number[] {
  return runs.map(({ parts }) => parts.reduce((sum, { seconds }) => sum + seconds, 0));
}
