import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import type { EventBody } from '../../src/domain/event.ts';
import { Problem } from '../../src/domain/problem.ts';
import { officialBodies } from '../../src/domain/zoo.ts';
import { FileStore } from '../../src/store/file-store.ts';
import { Records } from '../../src/store/records.ts';
import { Scratch } from '../../workers/scratch.ts';
import { type ZooDeps, zooFile } from '../../workers/zoo/zoo-file.ts';
import { newFolder } from '../fixtures/make-archive.ts';
import { mirrorEntry, startZooServer, type ZooServer } from '../fixtures/zoo-server.ts';

const file = 'bodies-1.pth';
const bytes = Buffer.alloc(300_000, 'weights of a body ');
const limits = { headersMs: 300, idleMs: 300, patienceMs: 500, retryMs: 10 };

let server: ZooServer;
let dir: string;
beforeEach(async () => {
  const index = [mirrorEntry('imagenet', 'resnet18', file, bytes)];
  server = await startZooServer({
    [file]: bytes,
    'zoo.json': Buffer.from(JSON.stringify({ bodies: index })),
  });
  dir = await newFolder();
});
afterEach(() => server.close());

const deps = (over: Partial<ZooDeps> = {}): ZooDeps => ({
  records: new Records(new FileStore(join(dir, 'store'))),
  scratch: new Scratch(join(dir, 'scratch')),
  zooDir: join(dir, 'zoo'),
  zooUrl: server.url,
  downloadLimits: limits,
  ...over,
});

async function get(over: Partial<ZooDeps> = {}, pretrained = 'imagenet') {
  const events: EventBody[] = [];
  const wanted = { pretrained, arch: 'resnet18' as const };
  const signal = new AbortController().signal;
  const found = await zooFile(wanted, deps(over), { signal, say: (event) => events.push(event) });
  return { found, events };
}
const asked = () => server.requests.filter(({ path }) => path === file);
const refused =
  (...patterns: RegExp[]) =>
  (error: unknown) => {
    assert.ok(error instanceof Problem && error.code === 'pretrained_unknown', String(error));
    for (const pattern of patterns) assert.match(`${error.message} ${error.hint}`, pattern);
    return true;
  };

test('a body is fetched at first use, with progress, and kept in ZOO_DIR and in the store', async () => {
  const { found, events } = await get();
  assert.deepEqual(await readFile(found?.path ?? ''), bytes);
  assert.deepEqual(await readdir(join(dir, 'zoo')), [file]);
  const last = events.at(-1);
  assert.ok(last?.type === 'download');
  assert.deepEqual([last.file, last.bytes, last.bytes_total], [file, bytes.length, bytes.length]);
  const record = await deps().records.getZooRecord(file);
  assert.equal(record?.sha256, found?.body.sha256);
  assert.equal(record?.url, `${server.url}/${file}`);
  await get();
  assert.equal(asked().length, 1);
});

test('the next worker, with no network and no file of its own, takes it from the store', async () => {
  await get();
  await server.close();
  const { found, events } = await get({ zooDir: join(dir, 'elsewhere'), zooUrl: null });
  assert.deepEqual(await readFile(found?.path ?? ''), bytes);
  assert.deepEqual(events, []);
});

test('a download that is cut goes on from where it was', async () => {
  server.mishaps.push({ kind: 'cut', after: 100_000 }, { kind: 'cut', after: 50_000 });
  const { found } = await get();
  assert.deepEqual(await readFile(found?.path ?? ''), bytes);
  assert.deepEqual(
    asked().map(({ status }) => status),
    [200, 206, 206],
  );
});

test('a worker that was killed in the middle: the next one goes on with what it left', async () => {
  const zooDir = join(dir, 'zoo');
  await mkdir(zooDir);
  const gone = spawn(process.execPath, ['-e', '']);
  await once(gone, 'exit');
  server.mishaps.push({ kind: 'cut', after: 100_000 }, { kind: 'status', status: 404 });
  await assert.rejects(get());
  const [left = ''] = (await readdir(zooDir)).filter((name) => name.endsWith('.part'));
  const part = await readFile(join(zooDir, left));
  const meta = await readFile(join(zooDir, `${left}.json`));
  dir = await newFolder();
  await mkdir(join(dir, 'zoo'));
  const theirs = join(dir, 'zoo', `.${file}.${hostname()}.${gone.pid}.part`);
  await writeFile(theirs, part);
  await writeFile(`${theirs}.json`, meta);
  const { found } = await get();
  assert.deepEqual(await readFile(found?.path ?? ''), bytes);
  assert.equal(asked().at(-1)?.range, `bytes=${part.length}-`);
  assert.ok(part.length > 0);
  assert.deepEqual(await readdir(join(dir, 'zoo')), [file]);
});

test('a file that has changed between two halves comes whole', async () => {
  server.mishaps.push({ kind: 'cut', after: 100_000 }, { kind: 'status', status: 404 });
  const other = Buffer.alloc(200_000, 'other weights');
  await assert.rejects(get());
  server.files[file] = other;
  server.files['zoo.json'] = Buffer.from(
    JSON.stringify([mirrorEntry('imagenet', 'resnet18', file, other)]),
  );
  const { found } = await get();
  assert.deepEqual(await readFile(found?.path ?? ''), other);
  assert.equal(asked().at(-1)?.status, 200);
});

test('a wrong checksum is refused and named, and nothing is left', async () => {
  server.files[file] = Buffer.alloc(1000, 'something else');
  await assert.rejects(
    get(),
    refused(/bodies-1.pth from http.*wrong checksum.*expected [0-9a-f]{64}/),
  );
  assert.deepEqual(await readdir(join(dir, 'zoo')), []);
  assert.deepEqual(await deps().records.zooFiles(), ['zoo.json']);
});

test('a file put into ZOO_DIR by hand is held to the checksum too', async () => {
  const official = officialBodies.find(({ arch }) => arch === 'resnet18');
  assert.ok(official);
  await mkdir(join(dir, 'zoo'));
  await writeFile(join(dir, 'zoo', official.file), 'not it');
  await assert.rejects(
    get({ zooUrl: null }),
    refused(/resnet18-f37072fd.pth in .*zoo.*expected one that begins with f37072fd/),
  );
});

test('a server that is silent, or stops in the middle, is given up; URL, file and folder are named', async () => {
  server.mishaps.push({ kind: 'silent' });
  const named = [
    new RegExp(`${server.url}/${file}`),
    new RegExp(`Put the file ${file} into .*${dir}/zoo`),
  ];
  await assert.rejects(get(), refused(/gives no answer within 0.3 s/, ...named));
  server.mishaps.push(
    { kind: 'stalls', after: 100_000 },
    ...Array.from({ length: 60 }, () => ({ kind: 'stalls' as const, after: 0 })),
  );
  await assert.rejects(get(), refused(/brought less than 4096 bytes in 0.3 s/, ...named));
  assert.ok(!(await readdir(join(dir, 'zoo'))).includes(file));
});

test('where nothing listens the refusal is immediate and names URL, file and folder', async () => {
  const { url } = server;
  await server.close();
  await assert.rejects(
    get(),
    refused(
      new RegExp(`${url}/resnet18-f37072fd.pth: the mirror does not answer`),
      /Put the file resnet18-f37072fd.pth/,
    ),
  );
});

test('an organisation’s own body is had by its name, for its architecture only', async () => {
  const own = mirrorEntry('shop-floor', 'resnet34', file, bytes);
  const normalisation = { mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] };
  server.files['zoo.json'] = Buffer.from(JSON.stringify([{ ...own, normalisation }]));
  await assert.rejects(get({}, 'shop-floor'), refused(/is a resnet34, the spec asks for resnet18/));
  server.files['zoo.json'] = Buffer.from(
    JSON.stringify([{ ...own, arch: 'resnet18', normalisation }]),
  );
  const { found } = await get({}, 'shop-floor');
  assert.deepEqual(found?.body.normalisation, normalisation);
  assert.equal((await get({}, 'nobody-knows')).found, null);
});

test('a zoo.json that is none is told of', async () => {
  server.files['zoo.json'] = Buffer.from('[{"name": "x"}]');
  await assert.rejects(get(), refused(/zoo.json is not a list of bodies/));
});
