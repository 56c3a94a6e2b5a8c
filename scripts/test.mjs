// Every test, or those whose path holds one of the arguments: `npm test -- api vision`. What takes hours at
// full size is in test/soak, and runs by `npm run test:soak` alone.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

const soak = process.argv.includes('--soak');
const wanted = process.argv.slice(2).filter((word) => word !== '--soak');
const found = files('test').filter(
  (path) =>
    soak === path.startsWith(join('test', 'soak')) &&
    (wanted.length === 0 || wanted.some((word) => path.includes(word))),
);
if (found.length === 0) {
  process.stderr.write(`No test file has ${wanted.join(' or ')} in its path.\n`);
  process.exit(1);
}
const status = run(found, process.env);
// the commonest CPU has AVX2 and no AVX-512: what depends on it runs as if on one
const isa = 'ONEDNN_MAX_CPU_ISA';
const native = found.filter((path) => /conformance|golden\.test/.test(path));
if (status !== 0 || native.length === 0 || process.env[isa] !== undefined) process.exit(status);
process.stdout.write(`\nOnce more with ${isa}=AVX2: ${native.join(', ')}\n`);
process.exit(run(native, { ...process.env, [isa]: 'AVX2' }));

// two at a time: training tests use every core by themselves
function run(paths, env) {
  const options = ['--import', 'tsx', '--test', '--test-concurrency=2', '--test-reporter=spec'];
  return spawnSync(process.execPath, [...options, ...paths], { stdio: 'inherit', env }).status ?? 1;
}

function files(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return files(path);
    return entry.name.endsWith('.test.ts') ? [path] : [];
  });
}
