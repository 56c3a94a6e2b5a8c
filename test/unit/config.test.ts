import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { ConfigError, loadConfig } from '../../src/config.ts';

test('an empty environment gives the documented defaults', () => {
  const config = loadConfig({});
  assert.deepEqual(
    [config.port, config.host, config.redisUrl, config.apiKeys, config.engine, config.precision],
    [3000, '127.0.0.1', null, null, 'auto', 'auto'],
  );
  assert.equal(config.storageUrl, `file://${join(config.dataDir, 'store')}`);
});

test('a variable that is set to nothing counts as unset', () => {
  assert.equal(loadConfig({ PORT: '', REDIS_URL: '' }).port, 3000);
});

test('API_KEYS gives several owners their keys', () => {
  const { apiKeys } = loadConfig({ API_KEYS: 'ann:0123456789abcdef,bob:fedcba9876543210' });
  assert.deepEqual(apiKeys, [
    { owner: 'ann', key: '0123456789abcdef' },
    { owner: 'bob', key: 'fedcba9876543210' },
  ]);
});

test('every fault is named at once, and no key is shown', () => {
  const environment = {
    PORT: 'http',
    STORAGE_URL: 'ftp://somewhere',
    REDIS_URL: 'localhost',
    API_KEYS: 'ann:short-secret',
    ENGINE: 'cuda',
    THREADS: '0',
    MAX_UPLOAD_BYTES: '-1',
  };
  assert.throws(
    () => loadConfig(environment),
    (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      for (const name of Object.keys(environment))
        assert.match(error.message, new RegExp(`${name}: expected`));
      assert.doesNotMatch(error.message, /short-secret/);
      return true;
    },
  );
});
