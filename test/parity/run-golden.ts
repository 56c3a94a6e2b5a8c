// Every golden file that a folder holds, through the product's own code.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem } from '../../src/domain/problem.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { adamwCases } from './cases/adamw.ts';
import { dataCases } from './cases/data.ts';
import { e2eCases } from './cases/e2e.ts';
import type { E2e } from './cases/e2e-inputs.ts';
import { type E2eLrFind, e2eLrFindCases, inputsOf } from './cases/e2e-lr-find.ts';
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
import { watched } from './watched.ts';

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

/**
 * Runs what there is and yields each file's report; engines that are not built are left out. `nativeOnly` leaves
 * out what does not depend on the CPU.
 */
export async function* runGolden(
  dir: string,
  { nativeOnly }: { nativeOnly: boolean } = { nativeOnly: false },
): AsyncGenerator<FileReport> {
  const run = async (
    file: string,
    engine: string,
    held: Held,
    cases: Run,
  ): Promise<FileReport[]> => {
    const report = new Report();
    let golden: unknown = null;
    // a file that cannot be read is a case that failed
    await report.run(file, null, () => {
      golden = readJson(dir, file);
    });
    if (golden !== null)
      await report.run(file, watched(golden), (it) => cases(it as never, report, held));
    return report.cases.length === 0 ? [] : [{ file, engine, cases: report.cases }];
  };
  const trainings = endToEnd(dir);
  await startEngine({ engine: 'js', precision: 'f64', threads: null });
  for (const [file, cases] of Object.entries(nativeOnly ? {} : pure))
    yield* await run(file, 'any', 'f64', cases);
  for (const file of unknownFiles(dir))
    yield* await run(file, 'any', 'f64', (_, report) =>
      report.fail(file, 'not understood: no such cases'),
    );
  for (const { engine, precision, held } of [
    { engine: 'js', precision: 'f64', held: 'f64' },
    { engine: 'onednn', precision: 'f32', held: 'f32' },
  ] as const) {
    if (nativeOnly && engine === 'js') continue;
    if (!(await isThere(engine, precision))) continue;
    const label = `${engine} ${precision}`;
    for (const [file, cases] of Object.entries(onTensors))
      yield* await run(file, label, held, cases);
    for (const file of trainings) {
      const cases: Run = file.includes('lr_find')
        ? (golden: E2eLrFind, report) =>
            e2eLrFindCases(file, golden, inputs(dir, golden), { report, held })
        : (golden, report) => e2eCases(file, golden, report, held);
      yield* await run(file, label, held, cases);
    }
  }
}

/** The case that a range test was run on: of the folder, or of the repo where it has it not. */
function inputs(dir: string, golden: E2eLrFind): E2e {
  const name = inputsOf(golden);
  const found = readJson(dir, name) ?? readJson(ownFixtures, name);
  if (!found) throw new Error(`${name}.json is not there`);
  return found;
}

function endToEnd(dir: string): string[] {
  return jsonFiles(dir).filter((name) => name.startsWith('e2e_'));
}

/** README says what the others are. */
function unknownFiles(dir: string): string[] {
  const known = ['README', ...Object.keys(pure), ...Object.keys(onTensors), ...endToEnd(dir)];
  return jsonFiles(dir).filter((name) => !known.includes(name));
}

function jsonFiles(dir: string): string[] {
  return readdirSync(dir)
    .flatMap((file) => (file.endsWith('.json') ? [file.slice(0, -'.json'.length)] : []))
    .sort();
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
