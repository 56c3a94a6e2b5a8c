import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, mock, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import type { JobEvent } from '../../src/domain/event.ts';
import { modelIdOfJob } from '../../src/domain/ids.ts';
import type { JobStatus } from '../../src/domain/job.ts';
import { LiveEvents } from '../../src/queue/live-events.ts';
import { enter, newStatus } from '../../workers/training/job-status.ts';
import { ann, startTestApi, type TestApi } from './running-api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.close());

const archive = gzipSync(Buffer.alloc(2048, 7));
const upload = async () => {
  const { body } = await api
    .as(ann)
    .post('/v1/datasets?name=mine')
    .type('application/gzip')
    .send(archive);
  return String(body.id);
};
const submit = async (spec: object = {}) => {
  const { body } = await api
    .as(ann)
    .post('/v1/jobs')
    .send({ dataset: await upload(), pretrained: null, ...spec });
  return String(body.id);
};

test('an upload as the body is stored as it came, marked as unfinished work and enqueued', async () => {
  const { status, body, headers } = await api
    .as(ann)
    .post('/v1/datasets?name=mine')
    .type('application/gzip')
    .send(archive);
  assert.equal(status, 201);
  assert.equal(headers.location, `/v1/datasets/${body.id}`);
  assert.deepEqual(
    [body.state, body.terminal, body.name, body.format],
    ['processing', false, 'mine', 'tgz'],
  );
  assert.equal(body.sha256, createHash('sha256').update(archive).digest('hex'));
  assert.deepEqual(await api.records.store.get(`datasets/${body.id}/source`), archive);
  assert.ok(await api.records.markedAt('ingest', body.id));
  assert.ok(await api.queues.holds('ingest', body.id));
  const read = await api.as(ann).get(`/v1/datasets/${body.id}`);
  assert.deepEqual(read.body, body);
});

test('an upload as a multipart form is the same', async () => {
  const { status, body } = await api
    .as(ann)
    .post('/v1/datasets')
    .attach('file', archive, 'images.tgz');
  assert.equal(status, 201);
  assert.deepEqual(await api.records.store.get(`datasets/${body.id}/source`), archive);
});

test('a job is acknowledged while its data set is still processing, with its whole spec', async () => {
  const dataset = await upload();
  const { status, body } = await api.as(ann).post('/v1/jobs').send({ dataset, pretrained: null });
  assert.equal(status, 201);
  assert.deepEqual([body.state, body.terminal, body.dataset], ['queued', false, dataset]);
  assert.equal(body.spec.phases.length, 3);
  assert.ok(body.queue_position >= 1);
  assert.deepEqual((await api.as(ann).get(`/v1/jobs/${body.id}`)).body, body);
  assert.ok(await api.records.markedAt('training', body.id));
});

test('a data set that failed is refused for a job, with its reason', async () => {
  const dataset = await upload();
  await api.records.putReport(dataset, {
    summary: '',
    images: 0,
    counts: { train: {}, valid: {}, test: {}, unsplit: {} },
    skipped: [],
    skipped_total: 0,
    skipped_reasons: [],
    used_tables: [],
    turned: 0,
    duplicates: [],
    duplicates_total: 0,
    warnings: [],
    sizes: [],
    sizes_total: 0,
    error: { code: 'archive_broken', message: 'cut off', hint: 'pack it again' },
    created_at: new Date().toISOString(),
  });
  const read = await api.as(ann).get(`/v1/datasets/${dataset}`);
  assert.deepEqual(
    [read.body.state, read.body.terminal, read.body.error.code],
    ['failed', true, 'archive_broken'],
  );
  const job = await api.as(ann).post('/v1/jobs').send({ dataset });
  assert.deepEqual(
    [job.status, job.body.code, job.body.hint],
    [422, 'dataset_failed', 'pack it again'],
  );
});

test('cancel counts at once, twice is once, and a finished job refuses it', async () => {
  const id = await submit();
  const first = await api.as(ann).post(`/v1/jobs/${id}/cancel`);
  assert.deepEqual([first.status, first.body.state, first.body.terminal], [200, 'cancelled', true]);
  const second = await api.as(ann).post(`/v1/jobs/${id}/cancel`);
  assert.deepEqual(second.body.transitions, first.body.transitions);
  const done = await submit();
  await api.records.putStatus(done, statusOf('succeeded', 1));
  const refused = await api.as(ann).post(`/v1/jobs/${done}/cancel`);
  assert.deepEqual([refused.status, refused.body.code], [409, 'wrong_state']);
  assert.match(refused.body.detail, /succeeded/);
});

test('events begin with the acknowledgement, go on from any number, and wait for news', async () => {
  const id = await submit();
  const path = `/v1/jobs/${id}/events`;
  const begin = await api.as(ann).get(path);
  assert.deepEqual(
    begin.body.data.map(({ seq, type }: JobEvent) => [seq, type]),
    [[1, 'queued']],
  );
  assert.equal(begin.body.next_after, 1);
  const waiting = api
    .as(ann)
    .get(`${path}?after=1&wait=20`)
    .then(({ body }) => body);
  const events: JobEvent[] = [
    { seq: 2, time: new Date().toISOString(), type: 'warning', message: 'a' },
    { seq: 3, time: new Date().toISOString(), type: 'log', message: 'b' },
  ];
  // supertest sends on a later turn; whether the call waits already makes no difference to the answer
  await delay(50);
  await api.records.putEvents(id, events);
  await new LiveEvents(api.queues.redis).publish(id, events);
  assert.deepEqual((await waiting).data, events);
  const rest = await api.as(ann).get(`${path}?after=2`);
  assert.deepEqual(rest.body.data, [events[1]]);
  const none = await api.as(ann).get(`${path}?after=3`);
  assert.deepEqual([none.body.data, none.body.next_after], [[], 3]);
});

test('metrics, artifacts with ranges, and the model’s file are read back', async () => {
  const id = await submit();
  const { body: nothing } = await api.as(ann).get(`/v1/jobs/${id}/lr-find.png`);
  assert.equal(nothing.code, 'not_found');
  const bytes = Buffer.from('0123456789');
  const file = await api.records.putArtifact(id, 'lr_find.png', 'image/png', bytes);
  await api.records.putArtifactList(id, [file]);
  const list = await api.as(ann).get(`/v1/jobs/${id}/artifacts`);
  assert.deepEqual(list.body.data, [
    { name: 'lr_find.png', size: 10, sha256: file.sha256, content_type: 'image/png' },
  ]);
  const whole = await api.as(ann).get(`/v1/jobs/${id}/lr-find.png`);
  assert.deepEqual([whole.status, whole.type, whole.body], [200, 'image/png', bytes]);
  const part = await api
    .as(ann)
    .get(`/v1/jobs/${id}/artifacts/lr_find.png`)
    .set('range', 'bytes=2-4');
  assert.deepEqual(
    [part.status, part.body.toString(), part.headers['content-range']],
    [206, '234', 'bytes 2-4/10'],
  );
  const last = await api
    .as(ann)
    .get(`/v1/jobs/${id}/artifacts/lr_find.png`)
    .set('range', 'bytes=-3');
  assert.equal(last.body.toString(), '789');
  const beyond = await api
    .as(ann)
    .get(`/v1/jobs/${id}/artifacts/lr_find.png`)
    .set('range', 'bytes=10-');
  assert.equal(beyond.status, 416);
  const cached = await api
    .as(ann)
    .get(`/v1/jobs/${id}/lr-find.png`)
    .set('if-none-match', whole.headers.etag ?? '');
  assert.equal(cached.status, 304);

  const model = modelIdOfJob(id);
  const weights = await api.records.putModelFile(
    model,
    'safetensors/model.safetensors',
    'application/octet-stream',
    bytes,
  );
  await api.records.putModel({
    id: model,
    owner: 'ann',
    name: '',
    arch: 'resnet18',
    classes: ['a', 'b'],
    size: [28, 28],
    resize_method: 'crop',
    normalize: null,
    head: { lin_ftrs: [512], ps: [0.25, 0.5], concat_pool: true, bn_final: false },
    parameters: 1,
    metrics: { accuracy: 1 },
    test_metrics: null,
    provenance: {
      job: id,
      dataset: `ds_${id.slice(4)}`,
      dataset_digest: '',
      spec_sha256: '',
      code_version: '',
      body: '',
      engine: { name: 'js', version: '', isa: '', precision: 'f32', threads: 1 },
    },
    files: [weights],
    created_at: new Date().toISOString(),
  });
  const card = await api.as(ann).get(`/v1/models/${model}`);
  assert.deepEqual([card.status, card.body.classes, card.body.owner], [200, ['a', 'b'], undefined]);
  const download = await api.as(ann).get(`/v1/models/${model}/files/safetensors`);
  assert.deepEqual(download.body, bytes);
  const opened = mock.method(api.records.store, 'stream');
  const head = await api.as(ann).head(`/v1/models/${model}/files/safetensors`);
  assert.deepEqual([head.status, head.headers['content-length']], [200, '10']);
  assert.equal(opened.mock.callCount(), 0, 'HEAD opened the file');
  opened.mock.restore();
  const other = await api.as(ann).get(`/v1/models/${model}/files/onnx`);
  assert.deepEqual(
    [other.status, other.body.detail],
    [404, `${model} has no file onnx; it has bundle.zip, safetensors/model.safetensors`],
  );
});

test('while Redis is away uploads and jobs are still acknowledged, and are in the store', async () => {
  const dataset = await upload();
  await api.redis.close();
  const job = await api.as(ann).post('/v1/jobs').send({ dataset, pretrained: null });
  assert.equal(job.status, 201);
  assert.ok(await api.records.getJob(job.body.id));
  assert.ok(await api.records.markedAt('training', job.body.id));
  assert.equal((await api.as(ann).get(`/v1/jobs/${job.body.id}`)).body.state, 'queued');
});

function statusOf(state: JobStatus['state'], last_seq: number): JobStatus {
  const time = new Date().toISOString();
  return { ...enter(newStatus(time), state, time), last_seq };
}
