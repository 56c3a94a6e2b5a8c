// Bodies as they come over the wire: compressed, malformed, slow, cut off; and what never becomes a request.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { pino } from 'pino';
import { ann, startTestApi, type TestApi } from './running-api.ts';

type Line = { level: number; msg: string; url?: string };
const log: Line[] = [];
const logger = pino(
  { level: 'debug' },
  new Writable({
    write(line, _encoding, done) {
      log.push(JSON.parse(String(line)));
      done();
    },
  }),
);

let api: TestApi;
let url: string;
before(async () => {
  api = await startTestApi({
    maxUploadBytes: 100_000,
    logger,
    patience: { headersMs: 400, stallMs: 400, stallBytes: 100, discardGapMs: 200 },
  });
  url = await api.app.listen({ port: 0 });
});
after(() => api.close());

const archive = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(70_000, 7)]);
const post = async (path: string, body: Buffer | string, headers: Record<string, string>) => {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { authorization: ann, ...headers },
    body,
  });
  assert.match(response.headers.get('content-type') ?? '', /json/);
  return { status: response.status, body: (await response.json()) as Record<string, string> };
};
const json = (body: Buffer | string, headers: Record<string, string> = {}) =>
  post('/v1/jobs', body, { 'content-type': 'application/json', ...headers });
const stored = async () => {
  const keys: string[] = [];
  for await (const { key } of api.records.store.list('')) keys.push(key);
  const parts = await readdir(join(api.dir, 'store', '.parts')).catch(() => []);
  return [...keys, ...parts];
};
const raw = (text: string | Buffer): Socket => {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.write(text);
  return socket;
};
const answerTo = async (socket: Socket) => {
  let text = '';
  for await (const chunk of socket) text += chunk;
  const [head = '', body = ''] = text.split('\r\n\r\n');
  assert.match(head, /content-type: application\/problem\+json/i);
  assert.match(head, /connection: close/i);
  assert.match(head, /x-request-id: req_/i);
  const status = Number(head.slice(9, 12));
  const problem = JSON.parse(body) as { status: number; code: string; detail: string };
  assert.equal(problem.status, status);
  return { status, code: problem.code, detail: problem.detail };
};

test('a compressed upload is stored decoded, as the body and as a form', async () => {
  for (const [encoding, compress] of [
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['identity', (bytes: Buffer) => bytes],
  ] as const) {
    const { status, body } = await post('/v1/datasets', compress(archive), {
      'content-encoding': encoding,
    });
    assert.equal(status, 201, encoding);
    assert.deepEqual(await api.records.store.get(`datasets/${body.id}/source`), archive, encoding);
  }
  const form = Buffer.concat([
    Buffer.from('--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n'),
    archive,
    Buffer.from('\r\n--b--\r\n'),
  ]);
  const { body } = await post('/v1/datasets', gzipSync(form), {
    'content-encoding': 'gzip',
    'content-type': 'multipart/form-data; boundary=b',
  });
  assert.deepEqual(await api.records.store.get(`datasets/${body.id}/source`), archive);
  for (const key of await stored()) await api.records.store.delete(key);
});

test('the limit counts decoded bytes; what is not as compressed as it says, or by another method, is refused', async () => {
  const bomb = gzipSync(Buffer.concat([archive, Buffer.alloc(10_000_000)]));
  assert.ok(bomb.length < 100_000);
  const gzip = { 'content-encoding': 'gzip' };
  const refused: [Buffer, Record<string, string>, number, string][] = [
    [bomb, gzip, 413, 'upload_too_large'],
    [archive, gzip, 400, 'invalid_request'],
    [gzipSync(archive).subarray(0, 100), gzip, 400, 'invalid_request'],
    [archive, { 'content-encoding': 'zstd' }, 415, 'unsupported_media_type'],
    [archive, { 'content-encoding': 'gzip, gzip' }, 415, 'unsupported_media_type'],
  ];
  for (const [bytes, headers, status, code] of refused) {
    const answer = await post('/v1/datasets', bytes, headers);
    assert.deepEqual([answer.status, answer.body.code], [status, code], answer.body.detail);
    assert.deepEqual(await stored(), []);
  }
  const large = await json(gzipSync(JSON.stringify({ dataset: ' '.repeat(300_000) })), gzip);
  assert.deepEqual([large.status, large.body.code], [413, 'body_too_large']);
});

test('compressed JSON is read', async () => {
  const { status, body } = await json(gzipSync('{"colour":1}'), { 'content-encoding': 'gzip' });
  assert.equal(status, 422);
  assert.match(body.detail ?? '', /colour/);
});

test('JSON over its limit is told that limit, not the one of uploads', async () => {
  const { status, body } = await json(JSON.stringify({ name: 'x'.repeat(300_000) }));
  assert.deepEqual([status, body.code], [413, 'body_too_large']);
  assert.match(body.detail ?? '', /JSON.* 262144 bytes/);
  assert.doesNotMatch(JSON.stringify(body), /MAX_UPLOAD_BYTES/);
});

test('malformed JSON is refused with the reason', async () => {
  const refused: [Buffer | string, RegExp][] = [
    ['{\n  "dataset": "x",\n  oops}', /line 3, column 3/],
    ['{"dataset": 1', /not JSON/],
    ['{"seed": NaN}', /not JSON/],
    ['{"seed": 1, "name": "}", "seed": 2}', /"seed" stands twice/],
    ['{"data": {"a": 1, "\\u0061": 1}}', /"a" stands twice/],
    ['{"__proto__": {"seed": 1}}', /"__proto__" is refused/],
    [`${'['.repeat(1000)}${']'.repeat(1000)}`, /deeper than 32/],
    [`{"a":${'{"a":'.repeat(20_000)}1${'}'.repeat(20_001)}`, /deeper than 32/],
    [Buffer.from('{"name": "caf\xe9"}', 'latin1'), /not UTF-8/],
    [Buffer.from('\ufeff{"dataset": "x"}', 'utf16le'), /not UTF-8/],
  ];
  for (const [text, reason] of refused) {
    const { status, body } = await json(text);
    assert.deepEqual([status, body.code], [400, 'invalid_request'], String(reason));
    assert.match(body.detail ?? '', reason);
  }
  // equal keys of different objects, a byte order mark, and braces in strings are nothing to refuse
  const fine = await json('\ufeff{"data": {"size": 1}, "head": {"size": "{[{"}}');
  assert.deepEqual([fine.status, fine.body.code], [422, 'invalid_spec']);
});

test('what is no JSON object, or says it is no JSON, answers 4xx with the way out', async () => {
  for (const text of ['', '[]', '"x"', 'null', '1']) {
    const { status, body } = await json(text);
    assert.deepEqual([status, body.code], [422, 'invalid_spec'], text);
  }
  for (const type of ['text/plain', 'application/xml', 'nonsense', '']) {
    const { status, body } = await post('/v1/jobs', Buffer.from('{}'), { 'content-type': type });
    assert.deepEqual([status, body.code], [415, 'unsupported_media_type'], type);
    assert.match(body.hint ?? '', /application\/json/);
  }
});

test('of many faults the first twenty are shown, and their number', async () => {
  const spec = Object.fromEntries(Array.from({ length: 20_000 }, (_, index) => [`k${index}`, 1]));
  const response = await json(JSON.stringify(spec));
  const body = response.body as unknown as { errors: unknown[]; errors_total: number };
  assert.equal(response.status, 422);
  assert.deepEqual([body.errors.length, body.errors_total], [20, 20_001]);
  assert.ok(JSON.stringify(body).length < 5000);
});

test('what is no HTTP is answered as a problem with the right status', async () => {
  const refused: [string, number, string][] = [
    ['NONSENSE\r\n\r\n', 400, 'invalid_request'],
    ['GET / HTTP/9.9\r\nhost: x\r\n\r\n', 400, 'invalid_request'],
    ['GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n', 400, 'invalid_request'],
    [`GET / HTTP/1.1\r\nx: ${'x'.repeat(1_000_000)}\r\n\r\n`, 431, 'headers_too_large'],
    ['GET / HTTP/1.1\r\nhost:', 408, 'request_timeout'],
    [
      'POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n',
      400,
      'invalid_request',
    ],
  ];
  for (const [text, status, code] of refused) {
    const answer = await answerTo(raw(text));
    assert.deepEqual([answer.status, answer.code], [status, code], answer.detail);
  }
  const chunks = `POST /v1/datasets HTTP/1.1\r\nhost: x\r\nauthorization: ${ann}\r\ntransfer-encoding: chunked\r\n\r\n`;
  const broken = await answerTo(raw(`${chunks}5\r\nabcde\r\nxyz\r\n`));
  assert.deepEqual([broken.status, broken.code], [400, 'invalid_request']);
  assert.deepEqual(await stored(), []);
  const url400 = await fetch(`${url}/v1/jobs/%zz`);
  assert.equal(url400.status, 400);
  assert.match(url400.headers.get('content-type') ?? '', /problem\+json/);
});

test('a body that stops coming, or trickles, is given up; one that is slow and steady is not', async () => {
  const head = (path: string, bytes: number) =>
    `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${ann}\r\ncontent-type: application/json\r\ncontent-length: ${bytes}\r\n\r\n`;
  for (const path of ['/v1/datasets', '/v1/jobs']) {
    const stopped = raw(head(path, 1000));
    stopped.write('{"a');
    assert.deepEqual((await answerTo(stopped)).status, 408, path);
    const trickling = raw(head(path, 1000));
    const trickle = setInterval(() => trickling.write(' '), 50);
    assert.deepEqual((await answerTo(trickling)).code, 'request_timeout', path);
    clearInterval(trickle);
  }
  assert.deepEqual(await stored(), []);
  const steady = raw(
    head('/v1/datasets', 2000).replace('json\r\n', 'json\r\nconnection: close\r\n'),
  );
  const answer = steady.setEncoding('utf8').toArray();
  const piece = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(96)]);
  for (let sent = 0; sent < 2000; sent += piece.length) {
    steady.write(piece);
    await delay(50);
  }
  assert.match((await answer).join(''), /^HTTP\/1\.1 201 /);
  for (const key of await stored()) await api.records.store.delete(key);
});

test('a client that leaves in the middle is information, not an error, and leaves nothing behind', async () => {
  const part = '--b\r\ncontent-disposition: form-data; name="file"; filename="x"\r\n\r\n';
  const cut: [string, string, Buffer][] = [
    ['/v1/datasets', 'application/gzip', archive.subarray(0, 50_000)],
    ['/v1/datasets', 'application/gzip', Buffer.alloc(0)],
    [
      '/v1/datasets',
      'multipart/form-data; boundary=b',
      Buffer.concat([Buffer.from(part), archive]),
    ],
    ['/v1/jobs', 'application/json', Buffer.from('{"dataset":')],
  ];
  log.length = 0;
  for (const [path, type, bytes] of cut) {
    const socket = raw(
      `POST ${path} HTTP/1.1\r\nhost: x\r\nauthorization: ${ann}\r\ncontent-type: ${type}\r\ncontent-length: 90000\r\n\r\n`,
    );
    socket.write(bytes);
    await delay(50);
    socket.resetAndDestroy();
    await once(socket, 'close');
  }
  const left = () => log.filter(({ msg }) => msg === 'client left').length;
  while (left() < cut.length) await delay(10);
  while ((await stored()).length > 0) await delay(10);
  const loud = log.filter(({ level }) => level >= 40);
  assert.deepEqual(loud, []);
});
