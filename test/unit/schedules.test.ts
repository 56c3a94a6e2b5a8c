// What must hold of any schedule; the figures themselves are test/parity's.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { flatCos } from '../../src/training/flat-cos.ts';
import { oneCycle } from '../../src/training/one-cycle.ts';

const cycles = fc.record({
  steps: fc.integer({ min: 2, max: 2000 }),
  maxLr: fc.array(fc.double({ min: 1e-7, max: 1, noNaN: true }), { minLength: 1, maxLength: 4 }),
  divFactor: fc.double({ min: 1.5, max: 100, noNaN: true }),
  finalDiv: fc.option(fc.double({ min: 2, max: 1e6, noNaN: true }), { nil: null }),
  pctStart: fc.double({ min: 0, max: 1, noNaN: true }),
  moms: fc.constant([0.95, 0.85] as const),
});

test('one-cycle: lr peaks where momentum bottoms', () => {
  fc.assert(
    fc.property(cycles, (cycle) => {
      const all = Array.from({ length: cycle.steps + 1 }, (_, step) => oneCycle(cycle, step));
      const peak = all.reduce(
        (best, { lr }, i) => ((lr[0] ?? 0) > (all[best]?.lr[0] ?? 0) ? i : best),
        0,
      );
      const lowest = Math.min(...all.map(({ mom }) => mom));
      assert.ok(Math.abs((all[peak]?.mom ?? 1) - lowest) < 1e-12);
      assert.ok(Math.abs((all[peak]?.lr[0] ?? 0) / (cycle.maxLr[0] ?? 1) - 1) < 1e-9);
    }),
  );
});

test('one-cycle: rates and momenta stay within their bounds, groups keep their ratios', () => {
  fc.assert(
    fc.property(cycles, fc.nat(2000), (cycle, at) => {
      const { lr, mom } = oneCycle(cycle, at % (cycle.steps + 1));
      const lowest = 1 / Math.max(cycle.divFactor, cycle.finalDiv ?? cycle.divFactor * 1e4);
      lr.forEach((rate, group) => {
        const max = cycle.maxLr[group] ?? 0;
        assert.ok(
          rate <= max * (1 + 1e-9) && rate >= max * lowest * (1 - 1e-6),
          `${rate} of ${max}`,
        );
      });
      assert.ok(mom <= 0.95 + 1e-12 && mom >= 0.85 - 1e-12);
    }),
  );
});

test('one-cycle: whoever resumes at any step gets the remaining sequence', () => {
  fc.assert(
    fc.property(cycles, fc.nat(2000), (cycle, at) => {
      const cut = at % cycle.steps;
      const whole = Array.from({ length: cycle.steps }, (_, step) => oneCycle(cycle, step));
      const resumed = Array.from({ length: cycle.steps - cut }, (_, i) =>
        oneCycle(JSON.parse(JSON.stringify(cycle)), cut + i),
      );
      assert.deepEqual(resumed, whole.slice(cut));
    }),
  );
});

test('flat-cos is flat, then falls without a jump up', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 2, max: 500 }),
      fc.double({ min: 0.05, max: 0.95, noNaN: true }),
      (steps, startPct) => {
        const rates = Array.from(
          { length: steps },
          (_, step) => flatCos({ steps, lr: [0.1], startPct }, step)[0] ?? 0,
        );
        rates.forEach(
          (rate, i) => void assert.ok(rate <= (rates[i - 1] ?? 0.1) + 1e-12 && rate >= 0),
        );
        assert.equal(rates[0], 0.1);
      },
    ),
  );
});
