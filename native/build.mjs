// Builds the addon into native/build. It says what it looked for and, when something is missing, the one
// command that installs it. ONECYCLE_MARCH names the instruction set for a binary that travels;
// --sanitize builds for AddressSanitizer, for scripts/asan.mjs.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const install =
  process.platform === 'darwin'
    ? 'brew install cmake onednn libomp'
    : 'sudo apt-get install -y --no-install-recommends cmake g++ make libdnnl-dev';

for (const tool of ['cmake', 'c++']) {
  if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).error) {
    fail(`${tool} was not found; it is needed to build the engine "onednn".`);
  }
}
const includes = [
  join(dirname(require.resolve('node-api-headers/package.json')), 'include'),
  dirname(require.resolve('node-addon-api/napi.h')),
];
const build = join(here, 'build');
const march = process.env.ONECYCLE_MARCH ?? 'native';
cmake([
  '-S',
  here,
  '-B',
  build,
  '-DCMAKE_BUILD_TYPE=Release',
  `-DNODE_API_INCLUDE=${includes.join(';')}`,
  `-DONECYCLE_MARCH=-march=${march}`,
  `-DONECYCLE_SANITIZE=${process.argv.includes('--sanitize') ? 'ON' : 'OFF'}`,
]);
cmake(['--build', build, '-j', '2']);
if (!existsSync(join(build, 'onecycle_native.node')))
  fail('the build left no onecycle_native.node');

function cmake(args) {
  const run = spawnSync('cmake', args, { encoding: 'utf8' });
  if (run.status !== 0) fail(`cmake ${args.join(' ')}\n${run.stdout}${run.stderr}`);
}

function fail(reason) {
  console.error(`The engine "onednn" cannot be built: ${reason}
What is needed: a C++17 compiler, CMake and oneDNN with its headers (libdnnl 2.6 or newer).
Install it:     ${install}
Without it:     everything works on the engine "js", some hundred times slower.`);
  process.exit(1);
}
