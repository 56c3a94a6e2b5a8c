import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLabels } from '../datasets/random-labels.ts';

test('10,000 random uploads get the labels that a person would give, or are refused', () => {
  const { read, given } = checkLabels(10_000);
  assert.ok(read > 9000 && given > 0.9, `${read} read, ${given} of their images labelled`);
});
