import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDamaged } from './damaged-weights.ts';

test('300 damaged weights files: an error, or the weights that were saved', async () => {
  const refused = await readDamaged({ runs: 100, seed: 7 });
  // nearly all of the damage is seen; a flipped bit of a float in a container without checksums is not
  assert.ok((refused.zip ?? 0) > 90, JSON.stringify(refused));
  assert.ok((refused.legacy ?? 0) > 60 && (refused.safetensors ?? 0) > 60, JSON.stringify(refused));
});
