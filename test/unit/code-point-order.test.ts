import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { byCodePoint } from '../../src/domain/code-point-order.ts';

test('an emoji comes behind U+FF01 and U+E000, where UTF-16 puts it before them', () => {
  const sorted = ['\u{1F600}', '\uFF01', '\uE000', 'z', 'Z', '犬'].sort(byCodePoint);
  assert.deepEqual(sorted, ['Z', 'z', '犬', '\uE000', '\uFF01', '\u{1F600}']);
});

test('the order is that of the code points of any two strings, which is that of their UTF-8 bytes', () => {
  const text = fc.string({ unit: 'binary', maxLength: 6 });
  fc.assert(
    fc.property(text, text, (a, b) => {
      const bytes = Buffer.compare(Buffer.from(a), Buffer.from(b));
      assert.equal(Math.sign(byCodePoint(a, b)), bytes);
    }),
    { numRuns: 5000 },
  );
});
