// POST /v1/models/{id}/evaluate: what is acknowledged, and what is refused with which code.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { DatasetReport } from '../../src/domain/dataset.ts';
import { newId } from '../../src/domain/ids.ts';
import { ann, bob, startTestApi, type TestApi } from './running-api.ts';

let api: TestApi;
before(async () => {
  api = await startTestApi();
});
after(() => api.close());

async function upload(key = ann): Promise<string> {
  const archive = gzipSync(Buffer.alloc(2048, 7));
  const { body } = await api.as(key).post('/v1/datasets').type('application/gzip').send(archive);
  return String(body.id);
}

async function report(dataset: string, over: Partial<DatasetReport>): Promise<string> {
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
    error: null,
    created_at: new Date().toISOString(),
    ...over,
  });
  return dataset;
}

async function model(classes: string[], { exported = true } = {}): Promise<string> {
  const id = newId('mdl');
  const name = exported ? 'onnx/model.onnx' : 'safetensors/model.safetensors';
  const file = await api.records.putModelFile(id, name, 'application/octet-stream', Buffer.of(1));
  await api.records.putModel({
    id,
    owner: 'ann',
    name: '',
    arch: 'resnet18',
    classes,
    size: [28, 28],
    resize_method: 'crop',
    normalize: null,
    head: { lin_ftrs: [512], ps: [0.25, 0.5], concat_pool: true, bn_final: false },
    parameters: 1,
    metrics: {},
    provenance: {
      job: id.replace('mdl_', 'job_'),
      dataset: id.replace('mdl_', 'ds_'),
      dataset_digest: '',
      spec_sha256: '',
      code_version: '',
      body: '',
      engine: { name: 'js', version: '', isa: '', precision: 'f32', threads: 1 },
    },
    files: [file],
    created_at: new Date().toISOString(),
  });
  return id;
}

const evaluate = (id: string, body: object, key = ann) =>
  api.as(key).post(`/v1/models/${id}/evaluate`).send(body);

test('an evaluation is a job, acknowledged while its data set is still processing', async () => {
  const [id, dataset] = [await model(['ant', 'bee']), await upload()];
  const { status, body, headers } = await evaluate(id, { dataset });
  assert.equal(status, 201);
  assert.match(body.id, /^job_/);
  assert.equal(headers.location, `/v1/jobs/${body.id}`);
  assert.deepEqual(
    [body.type, body.state, body.model, body.dataset, body.split, body.metrics],
    ['evaluate', 'queued', id, dataset, 'all', null],
  );
  assert.ok(await api.records.markedAt('training', body.id));
  assert.ok(await api.queues.holds('training', body.id));
  assert.deepEqual((await api.as(ann).get(`/v1/jobs/${body.id}`)).body, body);
  assert.equal((await api.as(bob).get(`/v1/jobs/${body.id}`)).status, 404);
  const cancelled = await api.as(ann).post(`/v1/jobs/${body.id}/cancel`);
  assert.deepEqual([cancelled.status, cancelled.body.state], [200, 'cancelled']);
});

test('a job that trains says so, also where its record is older than the word', async () => {
  const dataset = await upload();
  const { body } = await api.as(ann).post('/v1/jobs').send({ dataset, pretrained: null });
  assert.equal(body.type, 'train');
  const key = `jobs/${body.id}/job.json`;
  const record = JSON.parse(String(await api.records.store.get(key)));
  delete record.type;
  await api.records.store.put(key, JSON.stringify(record));
  assert.equal((await api.as(ann).get(`/v1/jobs/${body.id}`)).body.type, 'train');
});

test('what is not there, not the caller’s, not ready or not exported is refused by its own code', async () => {
  const [id, dataset] = [await model(['ant', 'bee']), await upload()];
  const failed = await report(await upload(), {
    error: { code: 'archive_broken', message: 'cut off', hint: 'pack it again' },
  });
  const none = 'ds_01ARZ3NDEKTSV4RRFFQ69G5FZZ';
  const cases: [Promise<{ status: number; body: { code: string } }>, number, string][] = [
    [evaluate(newId('mdl'), { dataset }), 404, 'not_found'],
    [evaluate(id, { dataset: await upload(bob) }, bob), 404, 'not_found'],
    [evaluate(id, { dataset: none }), 422, 'dataset_unknown'],
    [evaluate(id, { dataset: await upload(bob) }), 422, 'dataset_unknown'],
    [evaluate(id, { dataset: failed }), 422, 'dataset_failed'],
    [evaluate(await model(['ant'], { exported: false }), { dataset }), 409, 'model_not_exported'],
    [evaluate(id, {}), 422, 'invalid_spec'],
    [evaluate(id, { dataset, split: 'holdout', top: 3 }), 422, 'invalid_spec'],
  ];
  for (const [answer, status, code] of cases) {
    const { status: got, body } = await answer;
    assert.deepEqual([got, body.code], [status, code]);
  }
  const { body } = await evaluate(id, { dataset, split: 'holdout', top: 3 });
  assert.deepEqual(body.errors.map(({ path }: { path: string }) => path).sort(), ['split', 'top']);
});

test('classes are matched by name: none in common is refused, those that differ are named', async () => {
  const counts = { train: { ant: 3, wasp: 2 }, valid: { wasp: 1 }, test: {}, unsplit: {} };
  const dataset = await report(await upload(), { images: 6, counts });
  const id = await model(['ant', 'bee']);
  const { status, body } = await evaluate(id, { dataset });
  assert.equal(status, 201);
  assert.equal(body.warnings.length, 2);
  assert.match(body.warnings[0], /^3 images are left out .*"wasp"/);
  assert.match(body.warnings[1], /1 of the model's 2 classes: "bee"/);
  const none = await evaluate(id, { dataset, split: 'valid' });
  assert.deepEqual([none.status, none.body.code], [422, 'classes_differ']);
  assert.match(none.body.detail, /"ant", "bee".*"wasp"/);
  const empty = await evaluate(id, { dataset, split: 'test' });
  assert.deepEqual([empty.status, empty.body.code], [422, 'split_empty']);
});
