import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLabels } from './random-labels.ts';

test('random uploads get the labels that a person would give, or are refused', () => {
  const { read, given, refused } = checkLabels(400);
  assert.ok(read > 300, `${read} read; refused: ${refused.slice(0, 5).join('\n')}`);
  assert.ok(given > 0.9, `${given} of the images`);
});
