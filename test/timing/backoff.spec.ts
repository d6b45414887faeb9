import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { exponentialBackoff } from '../../lib/timing/backoff.js';

describe('exponentialBackoff', () => {
  it('waits between half of the limit and the limit, which doubles with each retry up to maxMs', () => {
    const limits = fc.record({
      initialMs: fc.integer({ min: 1, max: 1_000 }),
      factor: fc.integer({ min: 1, max: 100 }),
    });
    fc.assert(
      fc.property(limits, fc.integer({ min: 1, max: 2_000 }), ({ initialMs, factor }, retry) => {
        const maxMs = initialMs * factor;
        const limit = Math.min(maxMs, initialMs * 2 ** (retry - 1));
        const waitMs = exponentialBackoff(retry, { initialMs, maxMs });

        expect(waitMs).toBeGreaterThanOrEqual(limit / 2);
        expect(waitMs).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('is random, so that handlers that failed together do not retry together', () => {
    const waits = Array.from({ length: 10 }, () => exponentialBackoff(5, { initialMs: 100, maxMs: 30_000 }));

    expect(new Set(waits).size).toBeGreaterThan(1);
  });
});
