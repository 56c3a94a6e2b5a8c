import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fromBuffer } from 'yauzl';
import { newId } from '../../src/domain/ids.ts';
import type { ModelCard, StoredFile } from '../../src/domain/model.ts';
import { ann, bob, startTestApi, type TestApi } from './running-api.ts';

let api: TestApi;
let card: ModelCard;
// more than a socket holds while nobody reads
const weights = Buffer.alloc(48 * 2 ** 20, 'weights');
before(async () => {
  api = await startTestApi();
  const files: StoredFile[] = [];
  for (const [name, type, bytes] of [
    ['onnx/preprocess.json', 'application/json', Buffer.from('{}')],
    ['onnx/model.onnx', 'application/octet-stream', weights],
    ['labels.txt', 'text/plain; charset=utf-8', Buffer.from('a\nb\n')],
  ] as const) {
    files.push(await api.records.putModelFile(id, name, type, bytes));
  }
  card = { ...emptyCard(), files };
  await api.records.putModel(card);
  await api.app.listen({ port: 0, host: '127.0.0.1' });
});
after(() => api.close());

const id = newId('mdl');

test('a model lists its files; each is served by its name, the formats by theirs', async () => {
  const { body } = await api.as(ann).get(`/v1/models/${id}/files`);
  assert.deepEqual(
    body.data.map(({ name, size }: { name: string; size: number }) => [name, size]),
    card.files.map(({ name, bytes }) => [name, bytes]),
  );
  const named = await api.as(ann).get(`/v1/models/${id}/files/onnx/preprocess.json`);
  assert.deepEqual([named.status, named.body], [200, {}]);
  const format = await api.as(ann).get(`/v1/models/${id}/files/onnx`).buffer();
  assert.deepEqual([format.status, format.body], [200, weights]);
  assert.match(String(format.headers['content-disposition']), /model\.onnx"$/);
});

test('what a model does not have is answered with what it has; another’s model is not there', async () => {
  const missing = await api.as(ann).get(`/v1/models/${id}/files/coreml`);
  assert.deepEqual([missing.status, missing.body.code], [404, 'not_found']);
  assert.match(missing.body.detail, /coreml.*bundle\.zip.*onnx\/model\.onnx/);
  for (const path of ['', '/onnx', '/bundle.zip']) {
    const { status } = await api.as(bob).get(`/v1/models/${id}/files${path}`);
    assert.equal(status, 404);
  }
});

test('bundle.zip holds every file as it is stored and the model’s record, and says its length before', async () => {
  const path = `/v1/models/${id}/files/bundle.zip`;
  const answer = await fetch(url(path), { headers: { authorization: ann } });
  assert.equal(answer.status, 200);
  const bytes = Buffer.from(await answer.arrayBuffer());
  assert.equal(Number(answer.headers.get('content-length')), bytes.length);
  const entries = await unzipped(bytes);
  assert.deepEqual(
    [...entries.keys()].sort(),
    [...card.files.map(({ name }) => name), 'model.json'].map((name) => `${id}/${name}`).sort(),
  );
  assert.deepEqual(entries.get(`${id}/onnx/model.onnx`), weights);
  assert.equal(entries.get(`${id}/labels.txt`)?.toString(), 'a\nb\n');
  const record = JSON.parse(String(entries.get(`${id}/model.json`)));
  assert.deepEqual([record.id, 'owner' in record], [id, false]);
  const etag = String(answer.headers.get('etag'));
  const again = await api.as(ann).get(path).set('if-none-match', etag);
  assert.equal(again.status, 304);
  const head = await fetch(url(path), { method: 'HEAD', headers: { authorization: ann } });
  assert.equal(Number(head.headers.get('content-length')), bytes.length);
  while (openWeights() > 0) await delay(5);
});

const noProc = existsSync('/proc/self/fd') ? false : 'open files are listed in /proc alone';
test('a bundle that nobody reads to its end closes the file it had open', {
  skip: noProc,
}, async () => {
  const headers = { authorization: ann };
  const asked = request(url(`/v1/models/${id}/files/bundle.zip`), { headers }).end();
  const [response] = await once(asked, 'response');
  while (openWeights() === 0) await delay(5);
  response.destroy();
  while (openWeights() > 0) await delay(5);
});

test('a file that is gone from the store breaks the bundle off instead of ending it short', async () => {
  const lost = { ...card, id: newId('mdl') };
  await api.records.putModel(lost);
  const path = `/v1/models/${lost.id}/files/bundle.zip`;
  const answer = await fetch(url(path), { headers: { authorization: ann } });
  await assert.rejects(answer.arrayBuffer(), /terminated/);
});

function url(path: string): string {
  const { port } = api.app.server.address() as AddressInfo;
  return `http://127.0.0.1:${port}${path}`;
}

/** How many descriptors of this process are of the weights in the store. */
function openWeights(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).includes(`${id}/onnx/model.onnx`);
    } catch {
      return false;
    }
  }).length;
}

function unzipped(bytes: Buffer): Promise<Map<string, Buffer>> {
  return new Promise((resolve, reject) => {
    fromBuffer(bytes, { lazyEntries: true }, (error, zip) => {
      if (error) return reject(error);
      const entries = new Map<string, Buffer>();
      zip.on('error', reject);
      zip.on('end', () => resolve(entries));
      zip.on('entry', (entry) => {
        zip.openReadStream(entry, (failed, stream) => {
          if (failed) return reject(failed);
          buffer(stream).then((content) => {
            entries.set(entry.fileName, content);
            zip.readEntry();
          }, reject);
        });
      });
      zip.readEntry();
    });
  });
}

function emptyCard(): ModelCard {
  return {
    id,
    owner: 'ann',
    name: 'digits',
    arch: 'resnet18',
    classes: ['a', 'b'],
    size: [28, 28],
    resize_method: 'crop',
    normalize: null,
    head: { lin_ftrs: [512], ps: [0.25, 0.5], concat_pool: true, bn_final: false },
    parameters: 1,
    metrics: {},
    test_metrics: null,
    provenance: {
      job: newId('job'),
      dataset: newId('ds'),
      dataset_digest: '0',
      spec_sha256: '0',
      code_version: '0',
      body: 'none',
      engine: { name: 'js', version: '0', isa: 'none', precision: 'f32', threads: 1 },
    },
    files: [],
    created_at: new Date().toISOString(),
  };
}
