import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { nothingSaid } from '../../src/domain/dataset.ts';
import { ann, bob, startTestApi, type TestApi } from './running-api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi({ maxUploadBytes: 5000 });
});
after(() => api.close());

const ulid = '01ARZ3NDEKTSV4RRFFQ69G5FAV';

test('without a key, or with a wrong one, every call of v1 answers 401', async () => {
  for (const path of ['/v1/jobs/x', '/v1/datasets/x', '/v1/models/x']) {
    const { status, body, headers } = await api.request.get(path);
    assert.equal(status, 401);
    assert.equal(body.code, 'unauthorized');
    assert.match(headers['content-type'] ?? '', /^application\/problem\+json/);
    assert.match(headers['www-authenticate'] ?? '', /^Bearer/);
  }
  const wrong = await api.request.post('/v1/jobs').set('authorization', 'Bearer nobody').send({});
  assert.equal(wrong.status, 401);
});

test('every answer has a request id: the caller’s, or one made here', async () => {
  const own = await api.request.get('/healthz').set('x-request-id', 'my-request-17');
  assert.equal(own.headers['x-request-id'], 'my-request-17');
  const made = await api.request.get('/v1/jobs/x');
  assert.match(made.headers['x-request-id'] ?? '', /^req_/);
  assert.equal(made.body.request_id, made.headers['x-request-id']);
});

test('unknown ids answer 404, whether they could be ids or not', async () => {
  for (const path of [
    `/v1/jobs/job_${ulid}`,
    '/v1/jobs/..%2f..',
    `/v1/datasets/ds_${ulid}`,
    `/v1/models/mdl_${ulid}`,
    `/v1/jobs/job_${ulid}/events`,
    `/v1/jobs/job_${ulid}/artifacts/x.png`,
  ]) {
    const { status, body } = await api.as(ann).get(path);
    assert.deepEqual([status, body.code], [404, 'not_found'], path);
  }
  const route = await api.as(ann).get('/v1/nothing');
  assert.deepEqual([route.status, route.body.code], [404, 'route_not_found']);
});

test('a malformed spec answers 422 and names each bad field', async () => {
  const { status, body } = await api
    .as(ann)
    .post('/v1/jobs')
    .send({ dataset: 'ds_x', data: { size: 9999 }, extra: 1 });
  assert.deepEqual([status, body.code], [422, 'invalid_spec']);
  assert.deepEqual(body.errors.map(({ path }: { path: string }) => path).sort(), [
    'data.size',
    'dataset',
    'extra',
  ]);
});

test('a spec for an unknown data set or model answers 422', async () => {
  const job = await api
    .as(ann)
    .post('/v1/jobs')
    .send({ dataset: `ds_${ulid}` });
  assert.deepEqual([job.status, job.body.code], [422, 'dataset_unknown']);
});

test('what is no JSON is said to be none', async () => {
  const broken = await api
    .as(ann)
    .post('/v1/jobs')
    .set('content-type', 'application/json')
    .send('{"dataset":');
  assert.deepEqual([broken.status, broken.body.code], [400, 'invalid_request']);
  const form = await api.as(ann).post('/v1/jobs').type('form').send('dataset=x');
  assert.deepEqual([form.status, form.body.code], [415, 'unsupported_media_type']);
  assert.match(form.body.hint, /application\/json/);
});

test('a body that is no archive answers 422 at once and leaves nothing behind', async () => {
  const upload = await api
    .as(ann)
    .post('/v1/datasets')
    .set('content-type', 'application/octet-stream')
    .send('I am no archive');
  assert.deepEqual([upload.status, upload.body.code], [422, 'not_an_archive']);
  assert.match(upload.body.detail, /I am no archive/);
  for await (const { key } of api.records.store.list('')) assert.fail(`${key} was left`);
});

test('an upload over the limit answers 413, also when its length was not stated', async () => {
  const gzip = Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(9000)]);
  const stated = await api.as(ann).post('/v1/datasets').type('application/gzip').send(gzip);
  assert.deepEqual([stated.status, stated.body.code], [413, 'upload_too_large']);
  const { port } = api.app.server.listening
    ? (api.app.server.address() as { port: number })
    : { port: Number(new URL(await api.app.listen({ port: 0 })).port) };
  const chunked = await fetch(`http://127.0.0.1:${port}/v1/datasets`, {
    method: 'POST',
    headers: { authorization: ann },
    body: new Blob([gzip]).stream(),
    duplex: 'half',
  } as RequestInit);
  assert.equal(chunked.status, 413);
  assert.equal(((await chunked.json()) as { code: string }).code, 'upload_too_large');
  for await (const { key } of api.records.store.list('')) assert.fail(`${key} was left`);
});

test('a query that is not understood names its parameter', async () => {
  const { status, body } = await api
    .as(ann)
    .post('/v1/datasets?layout=spiral')
    .type('application/gzip')
    .send('x');
  assert.deepEqual([status, body.code, body.errors[0].path], [422, 'invalid_query', 'layout']);
  const alone = await api
    .as(ann)
    .post('/v1/datasets?layout=name_re')
    .type('application/gzip')
    .send('x');
  assert.deepEqual([alone.status, alone.body.errors[0].path], [422, 'pattern']);
  const encoding = await api
    .as(ann)
    .post('/v1/datasets?encoding=shift-jiss')
    .type('application/gzip')
    .send('x');
  assert.deepEqual([encoding.status, encoding.body.errors[0].path], [422, 'encoding']);
  assert.match(encoding.body.errors[0].message, /WHATWG.*shift_jis/);
});

test('another owner’s things answer 404, exactly as if they were not there', async () => {
  const id = `ds_${ulid}`;
  await api.records.putDataset({
    id,
    owner: 'ann',
    name: '',
    ...nothingSaid,
    bytes: 1,
    sha256: '',
    format: 'tar',
    created_at: new Date().toISOString(),
  });
  assert.equal((await api.as(ann).get(`/v1/datasets/${id}`)).status, 200);
  assert.equal((await api.as(bob).get(`/v1/datasets/${id}`)).status, 404);
  const job = await api.as(bob).post('/v1/jobs').send({ dataset: id });
  assert.deepEqual([job.status, job.body.code], [422, 'dataset_unknown']);
});

test('readyz says which part does not answer', async () => {
  assert.deepEqual((await api.request.get('/readyz')).body.checks, { store: 'ok', redis: 'ok' });
  await api.redis.close();
  const { status, body } = await api.request.get('/readyz');
  assert.deepEqual([status, body.code], [503, 'queue_unavailable']);
  assert.equal((await api.request.get('/healthz')).status, 200);
});
