import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root =
  process.env.ONECYCLE_TEST_DATA ?? fileURLToPath(new URL('../../../shared/data', import.meta.url));

/** The path of a piece of real test data, null where it is absent. */
export function testData(name: string): string | null {
  const path = join(root, name);
  return existsSync(path) ? path : null;
}

/** For node:test's `skip`: false, or why. */
export function absent(name: string): false | string {
  return testData(name) ? false : `${join(root, name)} is absent; set ONECYCLE_TEST_DATA`;
}
