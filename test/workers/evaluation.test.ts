// An evaluation as the worker's supervisor takes it, beginning to end, on a store in a folder.

import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { parse } from 'csv-parse/sync';
import { pino } from 'pino';
import { nothingSaid } from '../../src/domain/dataset.ts';
import type { EvaluatedSplit } from '../../src/domain/evaluation.ts';
import { newId } from '../../src/domain/ids.ts';
import { startEngine } from '../../src/engine/engine.ts';
import { FileStore } from '../../src/store/file-store.ts';
import { Records } from '../../src/store/records.ts';
import { ingest } from '../../workers/ingest.ts';
import { Scratch } from '../../workers/scratch.ts';
import { beginAttempt, newStatus } from '../../workers/training/job-status.ts';
import { supervise } from '../../workers/training/supervisor.ts';
import type { SupervisorDeps } from '../../workers/training/supervisor-deps.ts';
import { makeTar, newFolder } from '../fixtures/make-archive.ts';
import { somePhoto } from '../predict/some-photo.ts';
import { storeModel } from '../predict/stored-model.ts';
import { undecidedModel } from '../predict/undecided-model.ts';

await startEngine({ engine: 'js', precision: 'f32', threads: null });
const classes = ['=cmd|"x"', 'ant, red', 'bee'];
const head = { lin_ftrs: [], ps: 0.5, concat_pool: true, bn_final: false };
const logger = pino({ level: process.env.TEST_LOG ?? 'silent' });
const never = new AbortController().signal;

let dir: string;
let records: Records;
let deps: SupervisorDeps;
let model: string;
let exact: string;
let dataset: string;
before(async () => {
  dir = await newFolder();
  records = new Records(new FileStore(join(dir, 'store')));
  deps = {
    records,
    liveEvents: { publish: async () => {} },
    scratch: new Scratch(join(dir, 'scratch')),
    zooDir: join(dir, 'zoo'),
    zooUrl: null,
    engine: { engine: 'js', precision: 'f32', threads: 1 },
    codeVersion: '0.0.0-test',
    logger,
    logLevel: 'silent',
    onControl: () => () => {},
  };
  const network = undecidedModel('resnet18', classes.length, head);
  const facts = { arch: 'resnet18' as const, classes, size: [32, 32] as [number, number] };
  model = await storeModel(records, network, { ...facts, number: 1 });
  exact = await storeModel(records, network, { ...facts, number: 2, resize_method: 'no' });
  network.dispose();
  dataset = await prepared();
});
after(() => records.store.close());

/** 40 images of two of the model's classes and of one that it has never seen, in folders. */
async function prepared(): Promise<string> {
  const files: Record<string, Buffer> = {};
  for (const [label, count] of [
    ['=cmd|"x"', 14],
    ['ant, red', 18],
    ['wasp', 8],
  ] as const) {
    for (let seed = 0; seed < count; seed++) {
      const size = { width: 40, height: 32, seed: seed + 100 * count };
      files[`train/${label}/${seed}.png`] = await somePhoto(size, 'png');
    }
  }
  const tar = await makeTar(files);
  const id = newId('ds');
  await records.putSource(id, createReadStream(tar));
  await records.putDataset({
    id,
    owner: 'ann',
    name: '',
    ...nothingSaid,
    bytes: (await stat(tar)).size,
    sha256: '',
    format: 'tar',
    created_at: new Date().toISOString(),
  });
  await ingest(id, { records, scratch: deps.scratch, logger }, { signal: never });
  return id;
}

async function submitted(over: { model?: string; split?: EvaluatedSplit } = {}): Promise<string> {
  const id = newId('job');
  await records.mark('training', id);
  await records.putJob({
    id,
    owner: 'ann',
    type: 'evaluate',
    model,
    dataset,
    split: 'all',
    top_losses: 4,
    created_at: new Date().toISOString(),
    ...over,
  });
  return id;
}

async function supervised(id: string, over: Partial<SupervisorDeps> = {}) {
  const leave = { drain: never, lost: never };
  const outcome = await supervise(id, { ...deps, ...over }, leave);
  const [status, events] = [await records.getStatus(id), await records.getEvents(id, 1)];
  assert.ok(status);
  return { outcome, status, events, types: events.map(({ type }) => type) };
}

async function artifacts(id: string) {
  const json = await records.getArtifact(id, 'evaluation.json');
  const csv = String(await records.getArtifact(id, 'predictions.csv'));
  return { report: JSON.parse(String(json)), csv, rows: parse(csv, { columns: true }) as Row[] };
}
type Row = Record<string, string>;

test('metrics are of the images whose label the model knows; predictions.csv has a row for each image', async () => {
  const id = await submitted();
  const { outcome, status, events, types } = await supervised(id);
  assert.deepEqual(outcome, { outcome: 'done' });
  assert.deepEqual(
    [status.state, status.progress?.percent, status.model],
    ['succeeded', 100, model],
  );
  assert.deepEqual(
    types.filter((type) => type !== 'evaluate.step'),
    ['started', 'warning', 'warning', 'evaluate.finished', 'succeeded'],
  );
  assert.match(status.warnings[0] ?? '', /^8 images are left out .*"wasp"/);
  assert.match(status.warnings[1] ?? '', /"bee"/);
  const last = events.findLast(({ type }) => type === 'evaluate.step');
  assert.ok(last?.type === 'evaluate.step' && last.step === 3 && last.steps === 3);
  assert.equal(await records.markedAt('training', id), null);

  const { report, rows, csv } = await artifacts(id);
  assert.equal(rows.length, 40);
  assert.ok(
    csv.startsWith('file,label,predicted,correct,predicted_probability,actual_probability,'),
  );
  assert.ok(csv.includes('"probability_=cmd|""x""","probability_ant, red","probability_bee"\r\n'));
  assert.equal(csv.split('\r\n').length, 42);
  const known = rows.filter(({ label }) => label !== 'wasp');
  for (const row of rows) {
    const shares = classes.map((name) => Number(row[`probability_${name}`]));
    const best = shares.indexOf(Math.max(...shares));
    assert.ok(Math.abs(shares.reduce((sum, p) => sum + p, 0) - 1) < 1e-5);
    assert.deepEqual(
      [row.predicted, Number(row.predicted_probability)],
      [classes[best], shares[best]],
    );
    const unknown = row.label === 'wasp';
    assert.equal(row.correct, unknown ? '' : String(row.predicted === row.label));
    assert.equal(row.actual_probability, unknown ? '' : row[`probability_${row.label}`]);
  }
  const hits = known.filter(({ correct }) => correct === 'true').length;
  const losses = known.map((row) => -Math.log(Number(row.actual_probability)));
  const mean = losses.reduce((sum, loss) => sum + loss, 0) / known.length;
  assert.deepEqual([report.images, report.left_out], [32, 8]);
  assert.deepEqual(report.unknown_labels, [{ label: 'wasp', images: 8 }]);
  assert.deepEqual(report.classes_without_images, ['bee']);
  assert.equal(report.metrics.accuracy, hits / 32);
  assert.ok(Math.abs(report.log_loss - mean) < 1e-5);
  assert.deepEqual(Object.keys(report.metrics), [
    'accuracy',
    'error_rate',
    'precision',
    'recall',
    'f_beta',
  ]);
  assert.deepEqual(
    report.confusion_matrix,
    classes.map((actual) =>
      classes.map(
        (predicted) =>
          known.filter((row) => row.label === actual && row.predicted === predicted).length,
      ),
    ),
  );
  assert.equal(report.top_losses.length, 4);
  assert.ok(Math.abs(report.top_losses[0].loss - Math.max(...losses)) < 1e-5);
  assert.deepEqual(status.evaluation, {
    images: 32,
    left_out: 8,
    log_loss: report.log_loss,
    metrics: report.metrics,
  });
});

test('an evaluation that a lost worker had begun begins anew, and says so', async () => {
  const [first, id] = [await submitted(), await submitted()];
  await supervised(first);
  const time = new Date().toISOString();
  const engine = {
    name: 'onnxruntime',
    version: '',
    isa: '',
    precision: 'f32',
    threads: 1,
  } as const;
  await records.putEvents(id, [
    { seq: 2, time, type: 'started', attempt: 1, engine, body: model },
    {
      seq: 3,
      time,
      type: 'evaluate.step',
      phase: 0,
      epoch: 0,
      step: 1,
      steps: 3,
      images_per_second: 9,
    },
  ]);
  await records.putStatus(id, { ...beginAttempt(newStatus(time), time), last_seq: 2 });
  const { status, events, types } = await supervised(id);
  assert.equal(status.state, 'succeeded');
  assert.deepEqual(
    status.attempts.map(({ end }) => end),
    ['worker lost', 'finished'],
  );
  assert.deepEqual(
    events.map(({ seq }) => seq),
    events.map((_, i) => i + 2),
  );
  assert.deepEqual(types.slice(0, 4), ['started', 'evaluate.step', 'resumed', 'started']);
  assert.equal(types.filter((type) => type === 'evaluate.finished').length, 1);
  assert.deepEqual((await artifacts(id)).report, (await artifacts(first)).report);
});

test('a cancel stops it between two batches, and nothing is left that looks like a result', async () => {
  const id = await submitted();
  let told: () => void = assert.fail;
  const { status, types } = await supervised(id, {
    onControl: (_, listener) => {
      told = listener;
      return () => {};
    },
    liveEvents: {
      async publish(_, events) {
        if (!events.some(({ type }) => type === 'started')) return;
        await records.putControl(id, { action: 'cancel', time: new Date().toISOString() });
        told();
      },
    },
  });
  assert.equal(status.state, 'cancelled');
  assert.deepEqual([types.at(0), types.at(-1)], ['started', 'cancelled']);
  assert.ok(!types.includes('evaluate.finished'));
  assert.deepEqual([status.evaluation, await records.getArtifactList(id)], [null, []]);
});

test('no class in common, an empty split and images that the model does not take end the job with the reason', async () => {
  const empty = await supervised(await submitted({ split: 'valid' }));
  assert.deepEqual([empty.status.state, empty.status.error?.code], ['failed', 'split_empty']);
  const unfitting = await supervised(await submitted({ model: exact }));
  assert.deepEqual(
    [unfitting.status.state, unfitting.status.error?.code],
    ['failed', 'image_unusable'],
  );
  assert.match(unfitting.status.error?.message ?? '', /^train\/.*0\.png: .*32x32.*40x32/);
});
