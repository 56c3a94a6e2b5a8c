import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkArchives } from '../datasets/random-archives.ts';
import { checkLabels } from '../datasets/random-labels.ts';

test('10,000 random uploads get the labels that a person would give, or are refused', () => {
  const { read, given } = checkLabels(10_000);
  assert.ok(read > 9000 && given > 0.9, `${read} read, ${given} of their images labelled`);
});

test('10,000 random archives in six encodings get them too', async () => {
  const { read, refused } = await checkArchives(10_000);
  assert.ok(read > 6000, `${read} read; refused: ${refused.slice(0, 5).join('\n')}`);
});
