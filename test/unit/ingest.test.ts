import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { pino } from 'pino';
import { nothingSaid } from '../../src/domain/dataset.ts';
import { newId } from '../../src/domain/ids.ts';
import { problem } from '../../src/domain/problem.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { Records } from '../../src/store/records.ts';
import { ingest } from '../../workers/ingest.ts';
import { Scratch } from '../../workers/scratch.ts';
import { makeTar, newFolder, png } from '../fixtures/make-archive.ts';

/** Remembers the order of writes; `failures` makes that many calls fail as an absent store does. */
class MemoryStore implements ObjectStore {
  readonly objects = new Map<string, Buffer>();
  readonly writes: string[] = [];
  failures = 0;

  async put(key: string, body: Uint8Array | string | Readable) {
    if (this.failures > 0) {
      this.failures--;
      if (body instanceof Readable) body.destroy();
      throw problem('storage_unavailable', 'away');
    }
    const bytes = body instanceof Readable ? await buffer(body) : Buffer.from(body);
    this.objects.set(key, bytes);
    this.writes.push(key);
    return { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  }
  async putIfAbsent(): Promise<boolean> {
    return assert.fail('not used');
  }
  async get(key: string) {
    return this.objects.get(key) ?? null;
  }
  async stream(key: string) {
    const bytes = this.objects.get(key);
    return bytes ? Readable.from([bytes]) : null;
  }
  async head() {
    return null;
  }
  async *list() {}
  async delete(key: string) {
    this.objects.delete(key);
  }
  async presign() {
    return null;
  }
  async check() {}
  async close() {}
}

async function uploaded(files: Record<string, Buffer | string>) {
  const store = new MemoryStore();
  const records = new Records(store);
  const id = newId('ds');
  const bytes = await readFile(await makeTar(files));
  await records.putSource(id, Readable.from([bytes]));
  await records.putDataset({
    id,
    owner: 'me',
    name: '',
    ...nothingSaid,
    bytes: bytes.length,
    sha256: '',
    format: 'tar',
    created_at: new Date().toISOString(),
  });
  await records.mark('ingest', id);
  store.writes.length = 0;
  const folder = await newFolder();
  const deps = { records, scratch: new Scratch(folder), logger: pino({ level: 'silent' }) };
  const run = (signal = new AbortController().signal) => ingest(id, deps, { signal });
  return { id, store, records, run, folder };
}

const good = async () => ({ 'cat/1.png': await png(1), 'dog/2.png': await png(2) });

test('a good upload is ready: images, report, then the manifest, and the marker goes', async () => {
  const { id, store, records, run, folder } = await uploaded(await good());
  assert.deepEqual(await run(), { outcome: 'done' });
  assert.deepEqual(
    store.writes.map((key) => key.split('/').at(-1)),
    ['images.bin', 'report.json', 'manifest.json'],
  );
  assert.deepEqual((await records.getManifest(id))?.classes, ['cat', 'dog']);
  assert.equal((await records.getReport(id))?.error, null);
  assert.ok(!store.objects.has(`active/ingest/${id}`));
  assert.deepEqual(await readdir(`${folder}/running`), []);
});

test('a bad upload is failed: a report with the error, no manifest, and the marker goes', async () => {
  const { id, store, records, run } = await uploaded({ 'cat/1.png': 'x', 'dog/2.png': 'x' });
  assert.deepEqual(await run(), { outcome: 'done' });
  assert.equal(await records.getManifest(id), null);
  const report = await records.getReport(id);
  assert.equal(report?.error?.code, 'dataset_empty');
  assert.equal(report?.skipped_total, 2);
  assert.ok(!store.objects.has(`active/ingest/${id}`));
});

test('what was settled before is only taken off the list', async () => {
  for (const files of [await good(), { 'cat/1.png': 'no image' }]) {
    const { id, store, records, run } = await uploaded(files);
    await run();
    await records.mark('ingest', id);
    store.writes.length = 0;
    assert.deepEqual(await run(), { outcome: 'done' });
    assert.deepEqual(store.writes, []);
    assert.ok(!store.objects.has(`active/ingest/${id}`));
  }
});

test('a report without a manifest is half an ingest, which is done again', async () => {
  const { id, store, records, run } = await uploaded(await good());
  await run();
  store.objects.delete(`datasets/${id}/manifest.json`);
  await run();
  assert.ok(await records.getManifest(id));
});

test('a data set that is gone is dropped', async () => {
  const { id, store, run } = await uploaded(await good());
  store.objects.delete(`datasets/${id}/dataset.json`);
  assert.deepEqual(await run(), { outcome: 'done' });
  assert.deepEqual(store.writes, []);
  assert.ok(!store.objects.has(`active/ingest/${id}`));
});

test('a store that is away for a moment is waited for', async () => {
  const { id, store, records, run } = await uploaded(await good());
  store.failures = 1;
  assert.deepEqual(await run(), { outcome: 'done' });
  assert.ok(await records.getManifest(id));
});

test('a drain interrupts and leaves the marker', async () => {
  const { id, store, run } = await uploaded(await good());
  assert.deepEqual(await run(AbortSignal.abort()), { outcome: 'interrupted' });
  assert.deepEqual(store.writes, []);
  assert.ok(store.objects.has(`active/ingest/${id}`));
});
