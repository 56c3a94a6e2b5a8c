import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { Problem } from '../../src/domain/problem.ts';
import { FileStore } from '../../src/store/file-store.ts';
import type { ObjectStore } from '../../src/store/object-store.ts';
import { openStore } from '../../src/store/open-store.ts';
import { accessKey, type S3Server, secretKey, startRadosgw } from './radosgw.ts';
import { storeConformance } from './store-conformance.ts';

let dir = '';
let files: FileStore | null = null;
let server: S3Server | null = null;
let s3: ObjectStore | null = null;

before(async () => {
  dir = await mkdtemp(join(tmpdir(), 'onecycle-store-'));
  files = new FileStore(dir);
  server = await startRadosgw();
  if (server === null) return;
  // as the SDK finds them in production
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey });
  const { endpoint } = server;
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true });
  await client.send(new CreateBucketCommand({ Bucket: 'onecycle' }));
  client.destroy();
  s3 = openStore('s3://onecycle/some/prefix', { endpoint });
});
after(async () => {
  await s3?.close();
  await server?.close();
  await rm(dir, { recursive: true, force: true });
});

storeConformance('file', () => files, '');
storeConformance(
  's3',
  () => s3,
  'no S3 server here: apt-get install radosgw ceph-mon ceph-osd ceph-common',
);

test('file: no part of a broken upload stays on the disk', async () => {
  assert.deepEqual(await readdir(join(dir, '.parts')), []);
});

test('file: a key that leads out of the folder is refused', async () => {
  for (const key of ['../x', 'a/../../x', '/etc/passwd', 'a//b', '']) {
    await assert.rejects(new FileStore(dir).put(key, 'x'), /not a key/);
  }
});

test('s3: a server that does not answer is storage_unavailable', async () => {
  Object.assign(process.env, { AWS_ACCESS_KEY_ID: accessKey, AWS_SECRET_ACCESS_KEY: secretKey });
  const away = openStore('s3://onecycle/x', { endpoint: 'http://127.0.0.1:9' });
  await assert.rejects(
    away.get('a'),
    (error) => error instanceof Problem && error.code === 'storage_unavailable',
  );
  await away.close();
});
