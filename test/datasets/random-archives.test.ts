import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkArchives } from './random-archives.ts';

test('random archives in six encodings become data sets with a person’s labels, or are refused', async () => {
  const { read, refused } = await checkArchives(200);
  assert.ok(read > 120, `${read} read; refused: ${refused.slice(0, 5).join('\n')}`);
});
