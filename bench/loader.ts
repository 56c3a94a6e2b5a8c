// The loader at work: alone, and feeding real steps, beside the bare step on one batch that lies ready. The
// ratio of a row with steps is what of the bare step's speed is left when images are decoded and augmented.

import { contest } from './contest.ts';
import { type BenchData, inWorkDir, mnistSample, photos } from './data.ts';
import { benchOptions } from './options.ts';
import { type Ours, startOurs } from './ours.ts';
import type { OpenCase } from './protocol.ts';
import { compared, figures, percent, printTable, type Row } from './table.ts';

type Shape = { data: BenchData; augment: boolean; batch: number; size: number; count: number };

const options = benchOptions({ rounds: 5 });
const { ours, machine } = await startOurs(options);
console.log(machine);
const rows = await inWorkDir(async (workDir) => {
  const found: Row[] = [];
  for (const shape of await shapesIn(workDir)) {
    for (const contestant of ours) found.push(...(await rowsOf(contestant, shape)));
  }
  return found;
});
for (const { child } of ours) await child.stop();

printTable(
  { machine, rows },
  {
    loader: (row) => row.case,
    px: (row) => `${row.size}`,
    batch: (row) => `${row.batch}`,
    precision: (row) => row.precision,
    'images/s': (row) => figures(row.images_per_second),
    'bare step’s': (row) => figures(row.peer_images_per_second),
    ratio: (row) => percent(row.ratio),
  },
  options,
);

async function shapesIn(workDir: string): Promise<Shape[]> {
  if (options.quick) {
    const data = await photos(workDir, { made: 8 });
    return [{ data, augment: true, batch: 2, size: 32, count: 1 }];
  }
  const digits = await mnistSample(workDir, { itemsMax: null });
  return [
    {
      data: await photos(workDir, { made: null }),
      augment: true,
      batch: 32,
      size: 224,
      count: 6,
    },
    { data: digits, augment: false, batch: 64, size: 28, count: 16 },
  ];
}

async function rowsOf({ child, precision }: Ours, shape: Shape): Promise<Row[]> {
  const { data, augment, batch, size, count } = shape;
  const { manifestPath, imagesPath } = data;
  const open = (source: OpenCase['source'], freeze: boolean): OpenCase => {
    const ref = { manifestPath, imagesPath, augment };
    return { batch, size, freeze, precision, variant: '', source, data: ref };
  };
  const entrant = (name: string, source: OpenCase['source'], freeze: boolean) => ({
    name,
    child,
    open: open(source, freeze),
  });
  const results = await contest(
    [
      entrant('loader alone', 'loader', true),
      entrant('bare step', 'step', true),
      entrant('loader and step, body frozen', 'train', true),
      entrant('bare step', 'step', false),
      entrant('loader and step, all trained', 'train', false),
    ],
    { rounds: options.rounds, stepsPerRound: count },
  );
  const [alone, frozenStep, frozen, step, whole] = results;
  const what = `${data.name}${augment ? ', full augmentation' : ''}`;
  const row = (mine: typeof alone, peer: typeof alone): Row => ({
    case: `${what}: ${mine?.name}`,
    batch,
    size,
    precision,
    ...compared(mine?.imagesPerSecond ?? Number.NaN, peer ?? null),
  });
  return [row(alone, undefined), row(frozen, frozenStep), row(whole, step)];
}
