// Makes a fresh clone ready to run, and does nothing where nothing is missing. Plain Node, no dependencies:
// it runs before there are any. Everything comes from npm and from the system's packages.

import { spawnSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { isStale } from './newer.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const forTests = process.argv.includes('--test');
const say = (text) => process.stdout.write(`${text}\n`);

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`onecycle needs Node 20.19 or newer, this is ${process.versions.node}.`);
}

systemPackages();
npmPackages();
if (isStale('dist/.built', ['src', 'workers', 'package.json', 'tsconfig.json'])) {
  step('Building TypeScript', 'node', ['scripts/build.mjs']);
}
if (isStale('native/build/onecycle_native.node', ['native'])) buildEngine();

function systemPackages() {
  const wanted = [
    {
      why: 'queues jobs (or set REDIS_URL to a Redis that you run)',
      has: () => hasProgram('redis-server') || hasProgram('valkey-server'),
      debian: ['redis-server'],
      brew: ['redis'],
      without: 'nothing starts unless REDIS_URL is set',
    },
    {
      why: 'compiles the engine',
      has: () => hasProgram('c++') && hasProgram('cmake') && hasProgram('make'),
      debian: ['g++', 'make', 'cmake'],
      brew: ['cmake'],
      without: 'training runs on the engine "js", some hundred times slower',
    },
    {
      why: 'the library that the engine computes with (oneDNN)',
      has: hasOneDnn,
      debian: ['libdnnl-dev'],
      brew: ['onednn', 'libomp'],
      without: 'training runs on the engine "js", some hundred times slower',
    },
  ];
  if (forTests) {
    wanted.push({
      why: 'an S3 server for the tests of the store (Ceph’s radosgw)',
      has: () => hasProgram('radosgw') && hasProgram('ceph-mon') && hasProgram('ceph-osd'),
      debian: ['radosgw', 'ceph-mon', 'ceph-osd', 'ceph-common'],
      brew: [],
      without: 'the tests against S3 are skipped',
    });
  }
  const missing = wanted.filter(({ has }) => !has());
  if (missing.length === 0) return;
  say('System packages that are missing:');
  const mac = process.platform === 'darwin';
  for (const { debian, brew, why } of missing) say(`  ${(mac ? brew : debian).join(' ')}: ${why}`);
  const packages = missing.flatMap(({ debian }) => debian);
  const command = mac
    ? `brew install ${missing.flatMap(({ brew }) => brew).join(' ')}`
    : `sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (installed(packages)) return;
  const still = missing.filter(({ has }) => !has());
  say(`They could not be installed from here. Install them with\n  ${command}\nWithout them:`);
  for (const { without } of still) say(`  ${without}`);
}

/** By apt-get, where this user may: as root, or by a sudo that asks for nothing. */
function installed(packages) {
  if (process.platform !== 'linux' || !hasProgram('apt-get')) return false;
  const root = process.getuid() === 0;
  if (!root && spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status !== 0) return false;
  const run = (...args) => {
    const [program, ...rest] = root ? args : ['sudo', '-n', ...args];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    return spawnSync(program, rest, { encoding: 'utf8', env });
  };
  say('Installing them with apt-get …');
  const install = () =>
    run('apt-get', 'install', '-y', '-q', '--no-install-recommends', ...packages);
  // package lists are often missing in containers; where they are there, they save the time
  if (install().status === 0) return true;
  run('apt-get', 'update', '-q');
  const second = install();
  if (second.status !== 0) say(second.stderr.trim().split('\n').slice(-3).join('\n'));
  return second.status === 0;
}

function npmPackages() {
  if (!isStale('node_modules/.onecycle-installed', ['package-lock.json'])) return;
  // CUDA's part of ONNX Runtime would be a download of its own, of what a prediction here does not use
  process.env.ONNXRUNTIME_NODE_INSTALL = 'skip';
  step('Installing npm packages', 'npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error']);
  writeFileSync('node_modules/.onecycle-installed', '');
}

function buildEngine() {
  say('Building the engine …');
  const build = spawnSync('node', ['native/build.mjs'], { stdio: 'inherit' });
  if (build.status !== 0) say('Going on with the engine "js".');
}

function hasProgram(name) {
  return !spawnSync(name, ['--version'], { stdio: 'ignore' }).error;
}

function hasOneDnn() {
  const prefixes = ['/usr/include', '/usr/local/include', '/opt/homebrew/include'];
  return prefixes.some(
    (prefix) => existsSync(`${prefix}/dnnl.hpp`) || existsSync(`${prefix}/oneapi/dnnl/dnnl.hpp`),
  );
}

function step(what, program, args) {
  say(`${what} …`);
  const run = spawnSync(program, args, { encoding: 'utf8' });
  if (run.status !== 0) fail(`${program} ${args.join(' ')} failed:\n${run.stdout}${run.stderr}`);
}

function fail(reason) {
  process.stderr.write(`${reason}\n`);
  process.exit(1);
}
