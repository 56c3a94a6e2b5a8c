// A signal may come at any moment: a profiler's every 50 microseconds, SIGTERM of a deployment.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { started } from './started.ts';

it('signals that come while a kernel computes leave the memory alone', async (context) => {
  const { backend, reason } = await started('f32');
  if (!backend) return context.skip(reason);
  const profiles = mkdtempSync(join(tmpdir(), 'onecycle-test-'));
  const profiler = ['--cpu-prof', '--cpu-prof-interval', '50', '--cpu-prof-dir', profiles];
  const script = fileURLToPath(new URL('matrix-products.ts', import.meta.url));
  const run = spawnSync(process.execPath, [...profiler, '--import', 'tsx', script], {
    encoding: 'utf8',
  });
  assert.equal(run.status, 0, `${run.signal}: ${run.stderr}`);
  assert.ok(readdirSync(profiles).length > 0, 'nothing was profiled');
  rmSync(profiles, { recursive: true });
});
