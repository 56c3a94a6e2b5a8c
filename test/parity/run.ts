// npm run parity -- DIR: a line per golden case, a count, and exit code 1 on any failure or on nothing found.

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { runGolden } from './run-golden.ts';

const dir = process.argv[2] ?? fileURLToPath(new URL('../fixtures/golden', import.meta.url));
let passed = 0;
let failed = 0;
for await (const { file, engine, cases } of runGolden(resolve(dir))) {
  for (const { name, quantity, worst, tolerance, kind, count, pass } of cases) {
    if (pass) passed += 1;
    else failed += 1;
    const off =
      kind === 'exact'
        ? pass
          ? 'equal'
          : 'not equal'
        : `${worst.toExponential(1)} of ${tolerance.toExponential(1)} ${kind}`;
    console.log(
      `${pass ? 'pass' : 'FAIL'}  ${engine.padEnd(10)} ${file}: ${name}  ${off} (${quantity}; ${count} numbers)`,
    );
  }
}
console.log(`${passed + failed} cases, ${passed} passed, ${failed} failed`);
if (failed > 0 || passed === 0) process.exitCode = 1;
