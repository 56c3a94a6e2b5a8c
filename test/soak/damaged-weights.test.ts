// What test/models/damaged-weights.test.ts does to a few files, to some thousands.

import { test } from 'node:test';
import { readDamaged } from '../models/damaged-weights.ts';

const runs = Math.ceil(Number(process.env.ONECYCLE_SOAK_RUNS ?? 5000) / 3);
const seed = Number(process.env.ONECYCLE_SOAK_SEED ?? Date.now() % 2 ** 31);

test(`${3 * runs} damaged weights files, seed ${seed}: an error, or the weights that were saved`, async (t) => {
  t.diagnostic(`refused: ${JSON.stringify(await readDamaged({ runs, seed }))}, of ${runs} each`);
});
