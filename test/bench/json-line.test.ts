// Each bench in its quick mode, without peers: that it runs, and that its last line is what tools read. Never
// how fast.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { Problem } from '../../src/domain/problem.ts';
import { startEngine } from '../../src/engine/engine.ts';

const positive = z.number().positive();
const Speeds = z.object({
  machine: z.string().min(10),
  rows: z
    .array(
      z.looseObject({
        case: z.string(),
        batch: z.int(),
        size: z.int(),
        precision: z.enum(['f32', 'bf16']),
        images_per_second: positive,
        peer: z.string().nullable(),
        peer_images_per_second: positive.nullable(),
        ratio: positive.nullable(),
      }),
    )
    .min(1),
});

const built = await startEngine({ engine: 'onednn', precision: 'f32', threads: null }).then(
  () => true,
  (error) => {
    if (error instanceof Problem) return false;
    throw error;
  },
);
const skip = built
  ? false
  : 'the engine onednn is not built; npm run build:native says what it needs';

const share = z.number().min(0).max(1);
const Accuracies = z.object({
  machine: z.string().min(10),
  rows: z
    .array(
      z.object({
        case: z.string(),
        precision: z.string(),
        accuracy: share,
        reached: z.array(share).min(1),
      }),
    )
    .min(1),
});

const Predictions = z.object({
  machine: z.string().min(10),
  rows: z.array(
    z.object({
      case: z.string(),
      size: z.int(),
      milliseconds: positive,
      onnxruntime_milliseconds: positive,
      ratio: positive,
    }),
  ),
});

function report<T>(bench: string, schema: z.ZodType<T>): T {
  const path = fileURLToPath(new URL(`../../bench/${bench}.ts`, import.meta.url));
  const args = ['--import', 'tsx', path, '--quick', '--json'];
  // other tests run beside this one: threads that spin while they wait would take their cores
  const env = { ...process.env, ONECYCLE_PEER_PYTHON: '', OMP_WAIT_POLICY: 'passive' };
  const run = spawnSync(process.execPath, args, { encoding: 'utf8', env });
  assert.equal(run.status, 0, run.stderr);
  const lines = run.stdout.trim().split('\n');
  assert.ok(
    lines.some((line) => line.startsWith('| ')),
    'no table was printed',
  );
  return schema.parse(JSON.parse(lines.at(-1) ?? ''));
}

test('bench:step says the share of native kernels, the memory, and the referee’s speed', {
  skip,
}, () => {
  const { rows } = report('step', Speeds);
  const shares = rows.flatMap(({ kernel_share }) => positive.safeParse(kernel_share).data ?? []);
  assert.ok(shares.length > 0 && shares.every((share) => share <= 1), `${shares}`);
  assert.ok(rows.some(({ peak_bytes }) => Number(peak_bytes) > 0));
  assert.ok(rows.some(({ peer }) => peer?.startsWith('engine js')));
});

test('bench:kernels has every kind of convolution, beside a measured peak', { skip }, () => {
  const { rows } = report('kernels', Speeds);
  for (const way of ['forward', 'input gradient', 'filter gradient']) {
    const found = rows.find((row) => row.case === `convolution ${way}`);
    assert.ok(Number(found?.gflops) > 0 && found?.peer === 'measured peak', way);
  }
});

test('bench:loader holds loader and step together against the bare step', { skip }, () => {
  const { rows } = report('loader', Speeds);
  assert.ok(rows.some((row) => row.case.includes('loader and step') && Number(row.ratio) > 0));
});

test('bench:demo has the three parts of the seed program', { skip }, () => {
  const { rows } = report('demo', Speeds);
  const first = rows.slice(0, 4).map((row) => row.case);
  assert.deepEqual(first, ['lr_find', 'frozen epoch', 'fine-tuning epoch', 'all three']);
});

test('bench:accuracy has what each precision reached', { skip }, () => {
  const { rows } = report('accuracy', Accuracies);
  assert.ok(rows.some((row) => row.precision === 'f32'));
});

test('bench:predict holds a prediction over HTTP against ONNX Runtime alone', () => {
  const { rows } = report('predict', Predictions);
  assert.equal(rows.length, 1);
});
