// The runner itself: what it does with a case that says more than it reads, or that it cannot run.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runGolden } from './run-golden.ts';
import { unread, watched } from './watched.ts';

const fixtures = fileURLToPath(new URL('../fixtures/golden', import.meta.url));

test('a field that nobody read is named by its path, a figure in the other precision and prose are not', () => {
  const it = watched({
    a: 1,
    b: { c: [1, 2], d: 2 },
    loss_f32: 1,
    loss_f64: 1,
    note: 'x',
    e: [{ f: 1 }],
  });
  assert.equal(it.a + it.b.d + it.loss_f64, 4);
  assert.deepEqual(unread(it), ['b.c', 'e']);
  assert.equal(it.b.c[0], 1);
  assert.equal(it.e.length, 1);
  assert.deepEqual(unread(it), ['b.c.*', 'e.*']);
});

test('a case that says more than is read has failed, and so has one that cannot be run; the others go on', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'golden-'));
  try {
    const adamw = readGolden('adamw');
    adamw.cases.wd_0.kwargs.amsgrad = true;
    adamw.cases.bn_wd_true.unheard_of = 1;
    write(dir, 'adamw', adamw);
    const found = readGolden('lr_find');
    found.cases.flat_full.kwargs.start_lr = { slic: [1, 2] };
    write(dir, 'lr_find', found);
    writeFileSync(join(dir, 'one_cycle.json'), '{');
    writeFileSync(join(dir, 'of_tomorrow.json'), '{"cases": {}}');
    const failed = new Map<string, string>();
    let passed = 0;
    for await (const { file, cases } of runGolden(dir))
      for (const line of cases)
        if (line.pass) passed += 1;
        else failed.set(`${file}: ${line.name}`, line.quantity);
    assert.match(failed.get('adamw: wd_0') ?? '', /could not be run: .*amsgrad/);
    assert.match(failed.get('adamw: bn_wd_true') ?? '', /not understood: unheard_of/);
    assert.match(failed.get('lr_find: flat_full') ?? '', /could not be run/);
    assert.match(failed.get('one_cycle: one_cycle') ?? '', /could not be run/);
    assert.match(failed.get('of_tomorrow: of_tomorrow') ?? '', /not understood/);
    assert.equal(failed.size, 5);
    assert.ok(passed > 12, `${passed} passed`);
  } finally {
    rmSync(dir, { recursive: true });
  }
});

test('a range test sweeps each group between rates of its own, as fastai reads numbers, lists and slices', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'golden-'));
  try {
    const golden = readGolden('lr_find');
    const it = golden.cases.typical_stop_div_false ?? golden.cases.flat_full;
    // 1e-8, 1e-7, 1e-6 to 1e-2, 1e-2, 1e-1; the last group's rates are recorded
    it.kwargs = {
      ...it.kwargs,
      start_lr: { slice: [1e-8, 1e-6] },
      end_lr: { slice: [null, 1e-1] },
    };
    const at = (step: number) =>
      [1e-8, 1e-7, 1e-6].map(
        (from, g) => from * ((g < 2 ? 1e-2 : 1e-1) / from) ** (step / it.num_it),
      );
    it.recorder_lrs = it.recorder_lrs.map((_: number, step: number) => at(step)[2]);
    it.opt_lr_attr_after = at(it.n_batches_run);
    it.inner_opt_lr_after = at(0).flatMap((lr) => [lr, lr]);
    it.v1_suggestions = {};
    it.v2_suggestions_on_same_series = {};
    write(dir, 'lr_find', { cases: { per_group: it } });
    for await (const { cases } of runGolden(dir))
      assert.deepEqual(
        cases.filter(({ pass }) => !pass),
        [],
      );
  } finally {
    rmSync(dir, { recursive: true });
  }
});

// golden files are JSON of many forms
function readGolden(name: string) {
  return JSON.parse(readFileSync(join(fixtures, `${name}.json`), 'utf8'));
}

function write(dir: string, name: string, golden: unknown): void {
  writeFileSync(join(dir, `${name}.json`), JSON.stringify(golden));
}
