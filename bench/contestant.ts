// Our side of a contest: a process with one engine at one precision, which answers bench/protocol.ts on stdin
// and stdout and ends with its input.

import { createInterface } from 'node:readline';
import * as tf from '@tensorflow/tfjs-core';
import { z } from 'zod';
import { startEngine } from '../src/engine/engine.ts';
import { OnednnBackend } from '../src/engine/onednn/backend.ts';
import { openCase, type RunningCase } from './case.ts';
import { median } from './contest.ts';
import { timeKernels } from './kernel-clock.ts';
import { adamwWork, workOf } from './kernel-work.ts';
import { runSeedProgram } from './seed-program.ts';

const Options = z.object({
  engine: z.enum(['onednn', 'js']),
  precision: z.enum(['f32', 'bf16']),
  threads: z.int().nullable(),
});
const Data = z.object({ manifestPath: z.string(), imagesPath: z.string(), augment: z.boolean() });
const Request = z.discriminatedUnion('do', [
  z.object({ do: z.literal('hello') }),
  z.object({
    do: z.literal('open'),
    id: z.string(),
    batch: z.int(),
    size: z.int(),
    freeze: z.boolean(),
    source: z.enum(['step', 'loader', 'train']).default('step'),
    data: Data.nullable().default(null),
  }),
  z.object({ do: z.literal('steps'), id: z.string(), count: z.int() }),
  z.object({ do: z.literal('profile'), id: z.string(), count: z.int() }),
  z.object({ do: z.literal('kernels'), id: z.string(), count: z.int() }),
  z.object({ do: z.literal('peaks') }),
  z.object({ do: z.literal('close'), id: z.string() }),
  z.object({ do: z.literal('memory') }),
  z.object({ do: z.literal('seed'), data: Data, numIt: z.int() }),
]);
type Request = z.infer<typeof Request>;

const options = Options.parse(JSON.parse(process.argv[2] ?? ''));
const cases = new Map<string, RunningCase>();

const lines = createInterface({ input: process.stdin });
// whoever asked is gone: nobody waits for what is still running
lines.once('close', () => process.exit());

for await (const line of lines) {
  const answer = await answerTo(Request.parse(JSON.parse(line))).then(
    (ok) => ({ ok }),
    (error: Error) => ({ error: error.stack ?? error.message }),
  );
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

async function answerTo(request: Request): Promise<object> {
  switch (request.do) {
    case 'hello':
      return await hello();
    case 'open': {
      const opened = await openCase(request);
      cases.set(request.id, opened);
      return {};
    }
    case 'steps':
      return { seconds: await caseOf(request.id).steps(request.count) };
    case 'profile':
      return await profile(caseOf(request.id), request.count);
    case 'kernels':
      return await kernels(caseOf(request.id), request.count);
    case 'peaks': {
      const { native } = onednn();
      const [f32, bf16] = [native.peak('f32'), native.peak('bf16')];
      return { f32, bf16, bandwidth: native.peak('bandwidth') };
    }
    case 'close':
      caseOf(request.id).close();
      cases.delete(request.id);
      return {};
    case 'memory':
      // maxRSS is in KiB
      return { peak_bytes: process.resourceUsage().maxRSS * 1024 };
    case 'seed':
      return await runSeedProgram(request, await startEngine(options));
  }
}

async function hello() {
  const engine = await startEngine(options);
  const isa = engine.name === 'onednn' ? `, ${engine.isa}` : '';
  return {
    name: `${engine.name} ${engine.version}${isa}`,
    threads: engine.threads,
    variants: { [engine.precision]: [''] },
  };
}

function caseOf(id: string): RunningCase {
  const running = cases.get(id);
  if (!running) throw new Error(`no case ${id} is open`);
  return running;
}

function onednn(): OnednnBackend {
  const backend = tf.backend();
  if (!(backend instanceof OnednnBackend)) throw new Error('only onednn has native kernels');
  return backend;
}

/** Steps under the kernels' clock. What they do not account for is ours: the tape, JavaScript, allocation. */
async function profile(running: RunningCase, count: number) {
  const { native } = onednn();
  native.setProfiling(true);
  const seconds = sum(await running.steps(count));
  const kernels = native.profile();
  native.setProfiling(false);
  return { seconds, kernels };
}

async function kernels(running: RunningCase, count: number) {
  const { native } = onednn();
  native.setProfiling(true);
  let step_seconds = 0;
  const times = await timeKernels(async () => {
    step_seconds = sum(await running.steps(count)) / count;
  });
  // the optimiser's step is no op of TF.js: only the native clock sees it
  const adamw = (native.profile().adamw?.seconds ?? 0) / count;
  native.setProfiling(false);
  const { precision } = options;
  const rows = times.flatMap(({ seconds, ...time }) => {
    const work = workOf({ seconds, ...time }, precision);
    const calls_per_step = seconds.length / count;
    return work ? [{ ...work, seconds: median(seconds), calls_per_step }] : [];
  });
  rows.push({ ...adamwWork(running.trainable), seconds: adamw, calls_per_step: 1 });
  return { kernels: rows, step_seconds };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
