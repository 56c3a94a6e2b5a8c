// The law of resumption over many specs; test/learner/phases.test.ts runs a few of them.

import { before, test } from 'node:test';
import type { EngineInfo } from '../../src/domain/event.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { sameBitsCutAnywhere, type TinySet, tinySet } from '../learner/phase-runs.ts';

const runs = Number(process.env.ONECYCLE_SOAK_RUNS ?? 200);
const seed = Number(process.env.ONECYCLE_SOAK_SEED ?? Date.now() % 2 ** 31);

let set: TinySet;
let engine: EngineInfo;
before(async () => {
  set = await tinySet();
  engine = await startEngine({ engine: 'auto', precision: 'auto', threads: 1 });
});

test(`${runs} specs, seed ${seed}, give the same bits whole and cut anywhere`, async () => {
  await sameBitsCutAnywhere({ set, engine, runs, seed });
});
