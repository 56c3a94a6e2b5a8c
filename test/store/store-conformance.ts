// What any ObjectStore must do; the file store and the S3 store run the same.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import type { ObjectStore } from '../../src/store/object-store.ts';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** Registers the suite; `open` gives a store whose keys under `prefix` are this suite's own. */
export function storeConformance(
  name: string,
  open: () => ObjectStore | null,
  skipReason: string,
): void {
  const check = (title: string, body: (store: ObjectStore, at: string) => Promise<void>) =>
    test(`${name}: ${title}`, async (t) => {
      const store = open();
      if (store === null) return t.skip(skipReason);
      await body(store, `suite/${randomBytes(6).toString('hex')}`);
    });

  check('what was put is read back, and replaced by the next put', async (store, at) => {
    const first = await store.put(`${at}/a.json`, '{"n":1}', { contentType: 'application/json' });
    assert.deepEqual(first, { bytes: 7, sha256: sha256(Buffer.from('{"n":1}')) });
    assert.equal((await store.get(`${at}/a.json`))?.toString(), '{"n":1}');
    await store.put(`${at}/a.json`, 'other');
    assert.equal((await store.get(`${at}/a.json`))?.toString(), 'other');
    await store.put(`${at}/empty`, '');
    assert.equal((await store.get(`${at}/empty`))?.length, 0);
  });

  check(
    'a stream of unknown length, longer than one part, comes back byte for byte',
    async (store, at) => {
      const bytes = randomBytes(20 * 2 ** 20 + 17);
      async function* chunks() {
        for (let i = 0; i < bytes.length; i += 65_521) yield bytes.subarray(i, i + 65_521);
      }
      const stored = await store.put(`${at}/big`, Readable.from(chunks(), { objectMode: false }));
      assert.deepEqual(stored, { bytes: bytes.length, sha256: sha256(bytes) });
      const stream = await store.stream(`${at}/big`);
      assert.equal(sha256(await buffer(stream as Readable)), stored.sha256);
      assert.equal((await store.head(`${at}/big`))?.bytes, bytes.length);
    },
  );

  check('a range is its bytes', async (store, at) => {
    await store.put(`${at}/digits`, '0123456789');
    const part = async (start: number, end: number) => {
      const stream = await store.stream(`${at}/digits`, { start, end });
      return (await buffer(stream as Readable)).toString();
    };
    assert.equal(await part(0, 1), '0');
    assert.equal(await part(3, 7), '3456');
    assert.equal(await part(9, 10), '9');
    assert.equal(await part(4, 4), '');
  });

  check('what is not there is null, and deleting it is no error', async (store, at) => {
    assert.equal(await store.get(`${at}/none`), null);
    assert.equal(await store.head(`${at}/none`), null);
    assert.equal(await store.stream(`${at}/none`), null);
    await store.delete(`${at}/none`);
    await store.put(`${at}/some`, 'x');
    await store.delete(`${at}/some`);
    assert.equal(await store.get(`${at}/some`), null);
  });

  check('a stream that breaks off leaves nothing, or what was there', async (store, at) => {
    async function* broken() {
      yield randomBytes(100_000);
      throw new Error('the line went dead');
    }
    await assert.rejects(
      store.put(`${at}/half`, Readable.from(broken(), { objectMode: false })),
      /the line went dead/,
    );
    assert.equal(await store.get(`${at}/half`), null);
    await store.put(`${at}/half`, 'before');
    await assert.rejects(store.put(`${at}/half`, Readable.from(broken(), { objectMode: false })));
    assert.equal((await store.get(`${at}/half`))?.toString(), 'before');
  });

  check('of many who put if absent, one wins', async (store, at) => {
    const racers = Array.from({ length: 8 }, (_, i) =>
      store.putIfAbsent(`${at}/lock`, `racer ${i}`),
    );
    const won = (await Promise.all(racers)).flatMap((yes, i) => (yes ? [i] : []));
    assert.equal(won.length, 1);
    assert.equal((await store.get(`${at}/lock`))?.toString(), `racer ${won[0]}`);
    assert.equal(await store.putIfAbsent(`${at}/lock`, 'late'), false);
  });

  check(
    'lists are in order, from behind a key, up to a limit, of a prefix only',
    async (store, at) => {
      const names = ['b/2', 'a', 'b/1', 'b.x', 'c/d/e', 'b/10'];
      for (const name of names) await store.put(`${at}/${name}`, name);
      const list = async (prefix: string, options?: { after?: string; limit?: number }) => {
        const keys: string[] = [];
        for await (const { key } of store.list(prefix, options))
          keys.push(key.slice(at.length + 1));
        return keys;
      };
      assert.deepEqual(await list(`${at}/`), ['a', 'b.x', 'b/1', 'b/10', 'b/2', 'c/d/e']);
      assert.deepEqual(await list(`${at}/b/`), ['b/1', 'b/10', 'b/2']);
      assert.deepEqual(await list(`${at}/b/1`), ['b/1', 'b/10']);
      assert.deepEqual(await list(`${at}/`, { after: `${at}/b/1`, limit: 2 }), ['b/10', 'b/2']);
      assert.deepEqual(await list(`${at}/nothing/`), []);
    },
  );

  check('more than a thousand objects are listed whole', async (store, at) => {
    const names = Array.from({ length: 1005 }, (_, i) => String(i).padStart(5, '0'));
    for (let i = 0; i < names.length; i += 50) {
      await Promise.all(names.slice(i, i + 50).map((name) => store.put(`${at}/${name}`, '')));
    }
    const keys: string[] = [];
    for await (const { key } of store.list(`${at}/`)) keys.push(key.slice(at.length + 1));
    assert.deepEqual(keys, names);
  });

  check('a presigned URL, where the store has them, answers the object', async (store, at) => {
    await store.put(`${at}/file.bin`, 'signed', { contentType: 'text/plain' });
    const url = await store.presign(`${at}/file.bin`, { seconds: 60, filename: 'x.bin' });
    if (url === null) return;
    const response = await fetch(url);
    assert.equal(await response.text(), 'signed');
    assert.match(response.headers.get('content-disposition') ?? '', /x\.bin/);
  });

  check('check() resolves while the store answers', (store) => store.check());
}
