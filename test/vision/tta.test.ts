import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Transforms } from '../../src/domain/data-options.ts';
import { keyedRandom } from '../../src/training/random.ts';
import { ttaPasses, ttaTransforms } from '../../src/vision/transforms/tta.ts';

const all = Transforms.parse({ p_affine: 1, p_lighting: 1 });

test('the eight passes are four corners, each as it is and flipped', () => {
  const seen = Array.from({ length: ttaPasses }, (_, pass) => {
    const list = ttaTransforms(all, { pass, scale: 1.35 }, keyedRandom(pass));
    const zoom = list.find(({ name }) => name === 'zoom');
    const crop = list.find(({ name }) => name === 'crop_pad');
    assert.ok(zoom?.name === 'zoom' && crop?.name === 'crop_pad');
    assert.equal(zoom.scale, 1.35);
    assert.deepEqual([crop.rowPct, crop.colPct], [zoom.rowPct, zoom.colPct]);
    return `${zoom.rowPct}${zoom.colPct}${list.some(({ name }) => name === 'flip_lr')}`;
  });
  assert.equal(new Set(seen).size, 8);
});

test('what else training draws stays random: warp, rotation and lighting', () => {
  const names = ttaTransforms(all, { pass: 0, scale: 1.35 }, keyedRandom(3)).map(
    ({ name }) => name,
  );
  for (const name of ['symmetric_warp', 'rotate', 'brightness', 'contrast'] as const) {
    assert.ok(names.includes(name), name);
  }
  assert.equal(names.filter((name) => name === 'zoom').length, 1);
});
