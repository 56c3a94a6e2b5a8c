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
// two at a time: training tests use every core by themselves
const run = spawnSync(
  process.execPath,
  ['--import', 'tsx', '--test', '--test-concurrency=2', '--test-reporter=spec', ...found],
  { stdio: 'inherit' },
);
process.exit(run.status ?? 1);

function files(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return files(path);
    return entry.name.endsWith('.test.ts') ? [path] : [];
  });
}
