// Every golden file that a folder holds, through the product's own code.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '../../src/domain/problem.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { adamwCases } from './cases/adamw.ts';
import { dataCases } from './cases/data.ts';
import { type E2e, e2eCases, e2eLrFindCases } from './cases/e2e.ts';
import { headCases } from './cases/head.ts';
import { interpretationCases } from './cases/interpretation.ts';
import { lrFindCases } from './cases/lr-find.ts';
import { lrRangeCases } from './cases/lr-range.ts';
import { oneCycleCases } from './cases/one-cycle.ts';
import { opsCases } from './cases/ops.ts';
import { smoothingCases } from './cases/smoothing.ts';
import { trackerCases } from './cases/trackers.ts';
import { nativeTransformCases, transformCases } from './cases/transforms.ts';
import { v2Cases } from './cases/v2-reference.ts';
import type { Held } from './precision.ts';
import { Report } from './report.ts';

type Run = (golden: never, report: Report, held: Held) => void | Promise<void>;

/** Mathematics without tensors: the same on every engine. */
const pure: Record<string, Run> = {
  one_cycle: oneCycleCases,
  lr_find: lrFindCases,
  lr_range: lrRangeCases,
  smoothing: smoothingCases,
  trackers: trackerCases,
  interpretation: interpretationCases,
  data: dataCases,
  transforms: transformCases,
  v2_reference: v2Cases,
  head: headCases,
};

const onTensors: Record<string, Run> = {
  adamw: adamwCases,
  ops: opsCases,
  transforms: nativeTransformCases,
};

/** Beside the fixtures that the repo has: where lr_find's inputs stand when the folder has them not. */
const ownFixtures = fileURLToPath(new URL('../fixtures/golden', import.meta.url));

export type FileReport = { file: string; engine: string; cases: Report['cases'] };

/** Runs what there is and yields each file's report; engines that are not built are left out. */
export async function* runGolden(dir: string): AsyncGenerator<FileReport> {
  const read = (name: string) => readJson(dir, name);
  const run = async (
    file: string,
    engine: string,
    held: Held,
    cases: Run,
  ): Promise<FileReport[]> => {
    const golden = read(file);
    if (golden === null) return [];
    const report = new Report();
    await cases(golden as never, report, held);
    return report.cases.length === 0 ? [] : [{ file, engine, cases: report.cases }];
  };
  const lrFindOnTensors: Run = async (golden, report, held) => {
    const inputs: E2e = read('e2e_tiny_gentle') ?? readJson(ownFixtures, 'e2e_tiny_gentle');
    await e2eLrFindCases(golden, inputs, report, held);
  };
  const trainings = readdirSync(dir).flatMap((file) => {
    const [, name] = /^(e2e_.*)\.json$/.exec(file) ?? [];
    return name !== undefined && !name.includes('lr_find') ? [name] : [];
  });
  await startEngine({ engine: 'js', precision: 'f64', threads: null });
  for (const [file, cases] of Object.entries(pure)) yield* await run(file, 'any', 'f64', cases);
  for (const { engine, precision, held } of [
    { engine: 'js', precision: 'f64', held: 'f64' },
    { engine: 'onednn', precision: 'f32', held: 'f32' },
  ] as const) {
    if (!(await isThere(engine, precision))) continue;
    const label = `${engine} ${precision}`;
    for (const [file, cases] of Object.entries(onTensors))
      yield* await run(file, label, held, cases);
    for (const file of trainings.sort()) {
      yield* await run(file, label, held, (golden, report) => e2eCases(file, golden, report, held));
    }
    yield* await run('e2e_tiny_lr_find', label, held, lrFindOnTensors);
  }
}

function readJson(dir: string, name: string) {
  const path = join(dir, `${name}.json`);
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
}

async function isThere(engine: 'js' | 'onednn', precision: 'f64' | 'f32'): Promise<boolean> {
  try {
    await startEngine({ engine, precision, threads: null });
    return true;
  } catch (error) {
    if (error instanceof Problem) return false;
    throw error;
  }
}
