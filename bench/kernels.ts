// Each kernel's FLOP/s or GB/s inside real training steps of ResNet-18, by shape, beside the machine's measured
// peak. FLOP/s count a direct convolution's multiplications, so that an algorithm that needs fewer may come out
// above the peak; GB/s count the bytes that must move at least, so that a tensor that stayed in a cache may too.

import type { z } from 'zod';
import { benchOptions } from './options.ts';
import { type Ours, startOurs } from './ours.ts';
import { Kernels, Nothing, type OpenCase, Peaks } from './protocol.ts';
import { compared, figures, percent, printTable, type Row } from './table.ts';

type Shape = { batch: number; size: number };
type Times = z.infer<typeof Kernels>;
type Kernel = Times['kernels'][number];
type KernelRow = Row & {
  /** Whether this is all calls of a kind, or one shape. */
  whole_family: boolean;
  calls_per_step: number;
  milliseconds: number;
  gflops: number | null;
  gb_per_second: number | null;
  share_of_step: number;
};

const options = benchOptions({ rounds: 5 });
const shapes = options.quick
  ? [{ batch: 2, size: 28 }]
  : [
      { batch: 32, size: 224 },
      { batch: 64, size: 28 },
    ];

const { ours, machine } = await startOurs(options);
const peaks: Peaks = { f32: 0, bf16: 0, bandwidth: 0 };
const timed: { contestant: Ours; shape: Shape; times: Times }[] = [];
for (const contestant of ours) {
  for (const shape of shapes) {
    // again and again: a peak is what the machine does when nobody else is on it
    await raise(peaks);
    timed.push({ contestant, shape, times: await timesOf(contestant, shape) });
  }
}
for (const { child } of ours) await child.stop();
const giga = (value: number) => (value / 1e9).toFixed(0);
const measured = `${machine}; measured peaks: ${giga(peaks.f32)} GFLOP/s in f32, ${giga(peaks.bf16)} in bf16, ${giga(peaks.bandwidth)} GB/s`;
console.log(measured);
const rows = timed.flatMap(rowsOf);

printTable(
  { machine: measured, rows },
  {
    'kernel, in a training step of ResNet-18': (row) =>
      row.whole_family ? `**${row.case}, a step’s together**` : row.case,
    px: (row) => `${row.size}`,
    batch: (row) => `${row.batch}`,
    precision: (row) => row.precision,
    calls: (row) => `${row.calls_per_step}`,
    ms: (row) => figures(row.milliseconds),
    'GFLOP/s': (row) => figures(row.gflops),
    'GB/s': (row) => figures(row.gb_per_second),
    'of peak': (row) => percent(row.ratio),
    'of the step': (row) => percent(row.share_of_step),
  },
  options,
);

function rowsOf({ contestant, shape, times }: (typeof timed)[number]): KernelRow[] {
  const row = (kernel: Kernel, whole_family: boolean): KernelRow => {
    const { name, family, unit, amount, seconds, calls_per_step } = kernel;
    const perSecond = amount / seconds / 1e9;
    return {
      case: whole_family ? family : name,
      ...shape,
      precision: contestant.precision,
      ...compared(shape.batch / seconds, {
        name: 'measured peak',
        imagesPerSecond: shape.batch / (amount / peakOf(kernel)),
      }),
      whole_family,
      calls_per_step,
      milliseconds: 1000 * seconds,
      gflops: unit === 'flop' ? perSecond : null,
      gb_per_second: unit === 'byte' ? perSecond : null,
      share_of_step: (seconds * (whole_family ? 1 : calls_per_step)) / times.step_seconds,
    };
  };
  const slowestFirst = (a: KernelRow, b: KernelRow) => b.share_of_step - a.share_of_step;
  return [
    ...familiesOf(times.kernels)
      .map((kernel) => row(kernel, true))
      .sort(slowestFirst),
    ...times.kernels.map((kernel) => row(kernel, false)).sort(slowestFirst),
  ];
}

async function timesOf({ child, precision }: Ours, shape: Shape): Promise<Times> {
  const id = 'kernels';
  const open: OpenCase = { ...shape, freeze: false, precision, variant: '' };
  await child.ask(Nothing, { do: 'open', id, ...open });
  const times = await child.ask(Kernels, { do: 'kernels', id, count: options.rounds });
  await child.ask(Nothing, { do: 'close', id });
  return times;
}

async function raise(known: Peaks): Promise<void> {
  const now = await ours[0].child.ask(Peaks, { do: 'peaks' });
  known.f32 = Math.max(known.f32, now.f32);
  known.bf16 = Math.max(known.bf16, now.bf16);
  known.bandwidth = Math.max(known.bandwidth, now.bandwidth);
}

/** All calls of a kind as one: the work and the time of a whole step's. */
function familiesOf(kernels: readonly Kernel[]): Kernel[] {
  const families = new Map<string, Kernel>();
  for (const kernel of kernels) {
    const { family, calls_per_step, amount, seconds } = kernel;
    const whole = families.get(family) ?? { ...kernel, amount: 0, seconds: 0, calls_per_step: 0 };
    whole.amount += calls_per_step * amount;
    whole.seconds += calls_per_step * seconds;
    whole.calls_per_step += calls_per_step;
    families.set(family, whole);
  }
  return [...families.values()];
}

function peakOf({ unit, type }: Kernel): number {
  if (unit === 'byte') return peaks.bandwidth;
  return type === 'bf16' ? peaks.bf16 : peaks.f32;
}
