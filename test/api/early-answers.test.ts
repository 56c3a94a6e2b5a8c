// Answers that are ready before the body has come, to clients in processes of their own.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ann, startTestApi, type TestApi } from './running-api.ts';

const run = promisify(execFile);
const client = fileURLToPath(new URL('./form-client.mjs', import.meta.url));
const mebibyte = 2 ** 20;
const maxUploadBytes = 30 * mebibyte;

let api: TestApi;
let url: string;
before(async () => {
  api = await startTestApi({ maxUploadBytes });
  url = await api.app.listen({ port: 0 });
});
after(() => api.close());

const refusals = [
  { path: '/v1/datasets', key: 'Bearer nobody', answer: '401 unauthorized' },
  { path: '/v1/nothing', key: ann, answer: '404 route_not_found' },
  { path: '/v1/datasets?layout=spiral', key: ann, answer: '422 invalid_query' },
  { path: '/v1/jobs', key: ann, answer: '415 unsupported_media_type' },
];

for (const [megabytes, tries] of [
  [1, 12],
  [5, 12],
  [20, 6],
] as const) {
  test(`fetch sees every refusal of a form of ${megabytes} MiB, ${tries} times of ${tries}`, async () => {
    for (const { path, key, answer } of [
      ...refusals,
      { path: '/v1/datasets', key: ann, answer: '422 not_an_archive' },
    ]) {
      const bytes = String(megabytes * mebibyte);
      const { stdout } = await run(process.execPath, [client, url + path, key, bytes, `${tries}`]);
      assert.deepEqual(JSON.parse(stdout), { [answer]: tries }, path);
    }
  });
}

test('fetch sees a refusal too when the form is over what is read on', async () => {
  for (const { path, key, answer } of [
    ...refusals.slice(0, 1),
    { path: '/v1/datasets', key: ann, answer: '413 upload_too_large' },
  ]) {
    const { stdout } = await run(process.execPath, [
      client,
      url + path,
      key,
      String(100 * mebibyte),
      '3',
    ]);
    assert.deepEqual(JSON.parse(stdout), { [answer]: 3 }, path);
  }
});

test('a client that sends all before it reads gets its answer up to the bound, and is cut off behind it', async () => {
  const small = await startTestApi({ patience: { discardBytes: mebibyte, discardGapMs: 300 } });
  try {
    const { port } = new URL(await small.app.listen({ port: 0 }));
    const send = async (bytes: number) => {
      const socket = connect(Number(port), '127.0.0.1');
      let answer = '';
      // nothing is read before everything is written
      socket.pause();
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      const closed = new Promise<string>((resolve) => {
        socket.once('error', ({ message }) => resolve(message)).once('end', () => resolve('end'));
      });
      socket.write(
        `POST /v1/datasets HTTP/1.1\r\nhost: x\r\ncontent-length: ${bytes}\r\nconnection: close\r\n\r\n`,
      );
      for (let sent = 0; sent < bytes && !socket.destroyed; sent += 65536) {
        if (!socket.write(Buffer.alloc(65536))) {
          await Promise.race([once(socket, 'drain'), closed]);
        }
      }
      socket.resume();
      return { end: await closed, answer };
    };
    const within = await send(mebibyte);
    assert.equal(within.end, 'end');
    assert.match(within.answer, /^HTTP\/1\.1 401 .*"code":"unauthorized"/s);
    const over = await send(64 * mebibyte);
    assert.match(over.end, /EPIPE|ECONNRESET/);
  } finally {
    await small.close();
  }
});

test('a body that is refused half-way and then stops coming holds the connection no longer than the gap', async () => {
  const small = await startTestApi({ patience: { discardGapMs: 200 } });
  try {
    const { port } = new URL(await small.app.listen({ port: 0 }));
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('POST /v1/datasets HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\nbegin');
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    assert.match(answer, /^HTTP\/1\.1 401 .*connection: close.*"code":"unauthorized"/is);
  } finally {
    await small.close();
  }
});

test('curl, which asks before it sends, is refused without having sent its body', async () => {
  const file = join(api.dir, 'big');
  await writeFile(file, Buffer.alloc(40 * mebibyte, 7));
  const refused = async (key: string, path: string) => {
    const { stdout } = await run('curl', [
      ...[
        '-s',
        '-o',
        '/dev/null',
        '-w',
        '%{http_code} %{size_upload}',
        '--expect100-timeout',
        '60',
      ],
      ...['-H', 'expect: 100-continue', '-H', `authorization: ${key}`],
      ...['--data-binary', `@${file}`, url + path],
    ]);
    return stdout;
  };
  assert.equal(await refused('Bearer nobody', '/v1/datasets'), '401 0');
  assert.equal(await refused(ann, '/v1/datasets'), '413 0');
  assert.equal(await refused(ann, '/v1/datasets?layout=spiral'), '422 0');
  assert.equal(await refused(ann, '/v1/nothing'), '404 0');
  assert.equal(await refused(ann, '/v1/jobs'), '415 0');
});

test('who asks before sending is told to go on when the body is wanted', async () => {
  const body = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(5000)]);
  const asking = httpRequest(`${url}/v1/datasets`, {
    method: 'POST',
    headers: { authorization: ann, expect: '100-continue', 'content-length': body.length },
  });
  asking.flushHeaders();
  await once(asking, 'continue');
  asking.end(body);
  const [response] = await once(asking, 'response');
  assert.equal(response.statusCode, 201);
  response.resume();
});

test('after an early answer to a complete body the connection goes on', async () => {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  const post = 'POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';
  socket.write(`${post}authorization: ${ann}\r\ncontent-length: 2\r\n\r\n{}`);
  const [first] = await once(socket, 'data');
  assert.match(String(first), /^HTTP\/1\.1 422 /);
  socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
  const [second] = await once(socket, 'data');
  assert.match(String(second), /^HTTP\/1\.1 200 /);
  socket.destroy();
});
