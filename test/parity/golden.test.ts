// The numbers that real fastai printed (test/fixtures/golden), case by case; `npm run parity` prints the same.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runGolden } from './run-golden.ts';

// a run for another CPU's instructions is one of the engine alone: the rest has none
const nativeOnly = process.env.ONEDNN_MAX_CPU_ISA !== undefined;

test('every golden number of fastai is reproduced within its tolerance', async (t) => {
  const seen = new Set<string>();
  for await (const { file, engine, cases } of runGolden(
    fileURLToPath(new URL('../fixtures/golden', import.meta.url)),
    { nativeOnly },
  )) {
    seen.add(`${file} on ${engine}`);
    const failed = cases.filter(({ pass }) => !pass);
    const nearest = cases.reduce((a, b) =>
      b.worst / (b.tolerance || 1) > a.worst / (a.tolerance || 1) ? b : a,
    );
    t.diagnostic(
      `${file} on ${engine}: ${cases.length} cases; nearest ${nearest.name}, ${nearest.quantity}: ${nearest.worst.toExponential(1)} of ${nearest.tolerance.toExponential(1)}`,
    );
    await t.test(`${file} on ${engine}`, () => {
      assert.deepEqual(
        failed.map(({ name, quantity, worst, tolerance }) => ({
          name,
          quantity,
          worst,
          tolerance,
        })),
        [],
      );
    });
  }
  if (!nativeOnly)
    for (const wanted of ['one_cycle', 'lr_find', 'lr_range', 'smoothing', 'head'])
      assert.ok(seen.has(`${wanted} on any`), `${wanted} was not run`);
  if (!nativeOnly)
    for (const wanted of ['adamw', 'ops', 'e2e_tiny_gentle', 'e2e_tiny_seed', 'e2e_tiny_lr_find'])
      assert.ok(seen.has(`${wanted} on js f64`), `${wanted} was not run on the referee`);
  if (seen.has('ops on onednn f32')) {
    assert.ok(seen.has('transforms on onednn f32'), 'the native renderer was not run');
  } else t.diagnostic('onednn is not built: its kernels and the native renderer were left out');
});
