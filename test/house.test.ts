// The rules of the house: which room may import which (arrows point down only), and what each file may reach for.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const levels: Record<string, number> = {
  'src/domain': 0,
  'src/config.ts': 0,
  'src/logger.ts': 0,
  'src/version.ts': 0,
  'src/training': 1,
  'src/engine': 2,
  'src/plots': 2,
  'src/store': 2,
  'src/vision': 3,
  'src/models': 3,
  'src/queue': 3,
  'src/datasets': 4,
  'src/learner': 4,
  'src/predict': 4,
  'src/api': 5,
  'src/start-api.ts': 6,
  'src/stack-file.ts': 6,
  'src/server.ts': 6,
  'src/local.ts': 6,
  workers: 6,
};
/** Arrows that point down or sideways and are refused all the same, with the reason. */
const refused: [string, string[], string][] = [
  [
    'src/api',
    ['src/engine', 'src/vision', 'src/models', 'src/datasets', 'src/learner', 'src/training'],
    'the API starts in a blink, on a machine that can’t train',
  ],
  ['src/learner', ['src/store', 'src/queue'], 'the learner is handed a Journal'],
  [
    'src/store',
    ['src/engine', 'src/plots', 'src/vision', 'src/models', 'src/datasets', 'src/learner'],
    'the store knows records, not training',
  ],
  [
    'src/queue',
    ['src/engine', 'src/vision', 'src/models', 'src/datasets', 'src/learner'],
    'a queue moves ids',
  ],
  ['src/vision', ['src/models', 'src/datasets'], 'pixels only'],
  ['src/models', ['src/vision', 'src/datasets'], 'networks only'],
  [
    'src/datasets',
    ['src/engine', 'src/models', 'src/learner', 'src/store'],
    'a data set knows files and, by vision/, whether they are images',
  ],
  [
    'src/predict',
    ['src/store', 'src/queue', 'src/models', 'src/datasets', 'src/learner'],
    'a prediction knows an exported file and images',
  ],
  ['src/plots', ['src/engine', 'src/store'], 'charts are data'],
];
const readByEntryPoints = ['src/config.ts', 'src/logger.ts', 'src/version.ts'];

type Import = { from: string; to: string };

function roomOf(path: string): string {
  const room = Object.keys(levels).find((key) => path === key || path.startsWith(`${key}/`));
  assert.ok(room, `${path} stands in no room: name it in test/house.test.ts`);
  return room;
}

function files(dir: string): string[] {
  return readdirSync(join(root, dir)).flatMap((name) => {
    const path = join(dir, name);
    if (statSync(join(root, path)).isDirectory()) return files(path);
    return path.endsWith('.ts') ? [path] : [];
  });
}

const sources = [...files('src'), ...files('workers')];
const texts = new Map(sources.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
const imports: Import[] = [];
const packages: Import[] = [];
for (const [from, text] of texts) {
  for (const [, path = ''] of text.matchAll(/(?:from|import|import\()\s*'([^']+)'/g)) {
    if (path.startsWith('.')) {
      imports.push({ from, to: relative(root, resolve(root, dirname(from), path)) });
    } else if (!path.startsWith('node:')) packages.push({ from, to: path });
  }
}

test('the check sees the house: files in every room, and their imports', () => {
  for (const room of Object.keys(levels)) {
    assert.ok(
      sources.some((path) => path === room || path.startsWith(`${room}/`)),
      `${room} is empty`,
    );
  }
  assert.ok(imports.length > 200, `only ${imports.length} imports were seen`);
  assert.ok(packages.length > 50, `only ${packages.length} imports of packages were seen`);
});

test('arrows point down only', () => {
  const up = imports.filter(
    ({ from, to }) => (levels[roomOf(from)] ?? 0) < (levels[roomOf(to)] ?? 0),
  );
  assert.deepEqual(up, []);
});

test('some rooms know nothing of each other', () => {
  for (const [room, others, reason] of refused) {
    const found = imports.filter(
      ({ from, to }) => roomOf(from) === room && others.includes(roomOf(to)),
    );
    assert.deepEqual(found, [], reason);
  }
});

test('the API’s thread loads nothing that trains or decodes, through whatever it imports', () => {
  const reached = new Set(['src/server.ts']);
  for (const file of reached) {
    for (const { from, to } of imports) if (from === file) reached.add(to);
  }
  assert.ok(reached.has('src/predict/predictor.ts'));
  const rooms = ['src/engine', 'src/vision', 'src/models', 'src/datasets', 'src/learner'];
  const values = [...reached].filter((file) => rooms.includes(roomOf(file)));
  assert.deepEqual(values, []);
});

test('config and logger are read by entry points and workers only', () => {
  const found = imports.filter(
    ({ from, to }) => readByEntryPoints.includes(to) && (levels[roomOf(from)] ?? 0) < 6,
  );
  assert.deepEqual(found, []);
});

test('domain and training import zod and nothing else', () => {
  const found = packages.filter(
    ({ from, to }) =>
      ['src/domain', 'src/training'].includes(roomOf(from)) &&
      !(to === 'zod' || (to === 'ulid' && from === 'src/domain/ids.ts')),
  );
  assert.deepEqual(found, []);
});

test('only the trainer loads an engine', () => {
  const found = imports.filter(
    ({ from, to }) => roomOf(from) === 'workers' && roomOf(to) === 'src/engine',
  );
  assert.deepEqual(found, [{ from: 'workers/trainer.ts', to: 'src/engine/engine.ts' }]);
});

test('relative imports end in .ts, file names are kebab-case', () => {
  assert.deepEqual(
    imports.filter(({ to }) => !to.endsWith('.ts')),
    [],
  );
  assert.deepEqual(
    sources.filter((path) => !/^[a-z0-9/-]+\.ts$/.test(path)),
    [],
  );
});

test('each file has one purpose: none is much over 300 lines', () => {
  const long = [...texts].filter(([, text]) => text.split('\n').length > 330);
  assert.deepEqual(
    long.map(([path]) => path),
    [],
  );
});
