// The addon under AddressSanitizer: a build of its own in a copy of the sources, and the tests that walk every
// kernel over odd shapes and wrong arguments. The first access out of bounds ends it with a report.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const copy = mkdtempSync(join(tmpdir(), 'onecycle-asan-'));
const tests = [
  'test/engine/conformance.test.ts',
  'test/engine/refusals.test.ts',
  'test/vision/render.test.ts',
];

const preload = spawnSync('c++', ['-print-file-name=libasan.so'], { encoding: 'utf8' });
const library = preload.stdout?.trim() ?? '';
if (!library.startsWith('/')) {
  console.error('The compiler has no AddressSanitizer (libasan.so): install g++ with its runtime.');
  process.exit(1);
}
try {
  for (const part of ['src', 'test', 'native', 'package.json', 'tsconfig.json']) {
    const ours = (path) => !path.startsWith(join(root, 'native', 'build', '/'));
    cpSync(join(root, part), join(copy, part), { recursive: true, filter: ours });
  }
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  run(['native/build.mjs', '--sanitize'], {});
  run(['--import', 'tsx', '--test', ...tests], {
    LD_PRELOAD: library,
    // the process ends with V8's memory in hand, which is no leak of ours
    ASAN_OPTIONS: 'detect_leaks=0,allocator_may_return_null=1',
  });
} finally {
  rmSync(copy, { recursive: true, force: true });
}

function run(args, env) {
  const { status } = spawnSync(process.execPath, args, {
    cwd: copy,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (status !== 0) {
    rmSync(copy, { recursive: true, force: true });
    process.exit(status ?? 1);
  }
}
