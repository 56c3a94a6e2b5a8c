import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { newDataDir, Stack } from './running-stack.ts';
import { tinyArchive, tinySpec } from './tiny-data.ts';

let stack: Stack;
before(async () => {
  stack = await Stack.start(await newDataDir());
});
after(() => stack.stop());

test('a model evaluated on the validation images of its job is as good as its job said', async () => {
  const dataset = (await stack.prepared(await tinyArchive())).id;
  const spec = { ...tinySpec(dataset), precision: 'f32', metrics: ['accuracy', 'f_beta'] };
  const { job } = await stack.finish((await stack.call('POST', '/v1/jobs', spec)).id);
  const last = job.metrics.at(-1);
  const evaluate = async (body: object) => {
    const { id } = await stack.call('POST', `/v1/models/${job.model}/evaluate`, body);
    await stack.finish(id);
    const view = await stack.call<{ state: string; type: string; metrics: Record<string, number> }>(
      'GET',
      `/v1/jobs/${id}`,
    );
    const csv = await (await stack.fetch(`/v1/jobs/${id}/artifacts/predictions.csv`)).text();
    const rows = parse(csv, { columns: true }) as Record<string, string>[];
    return { id, view, rows };
  };

  const { id, view, rows } = await evaluate({ dataset, split: 'valid' });
  assert.deepEqual([view.state, view.type], ['succeeded', 'evaluate']);
  assert.equal(rows.length, 24);
  assert.equal(view.metrics.accuracy, last?.metrics.accuracy);
  assert.ok(Math.abs((view.metrics.f_beta ?? 0) - (last?.metrics.f_beta ?? 1)) < 1e-9);
  assert.ok(Math.abs((view.metrics.log_loss ?? 0) - (last?.valid_loss ?? 0)) < 1e-3);
  const { data } = await stack.call<{ data: { name: string }[] }>(
    'GET',
    `/v1/jobs/${id}/artifacts`,
  );
  assert.deepEqual(data.map(({ name }) => name).sort(), ['evaluation.json', 'predictions.csv']);

  const all = await evaluate({ dataset });
  assert.equal(all.rows.length, 88);
  assert.ok(all.rows.every(({ correct }) => correct === 'true' || correct === 'false'));
});
