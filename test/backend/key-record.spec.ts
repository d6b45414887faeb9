import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { valueBytesOf } from '../../lib/backend/key-record.js';

describe('valueBytesOf', () => {
  it('gives each text its bytes, and no byte to two of them', () => {
    const texts = fc.array(
      fc.uint8Array({ maxLength: 700 }).map((array) => Buffer.from(array).toString('latin1')),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(texts, (given) => {
        const all = given.map(valueBytesOf);
        // Whoever writes to one of them must not be seen in another.
        all[0]?.fill(0);
        all.slice(1).forEach((bytes, index) => {
          expect(bytes.toString('latin1')).toBe(given[index + 1]);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('lets who keeps one keep little else', () => {
    for (const length of [1, 300, 500, 600, 5_000]) {
      const { byteLength } = valueBytesOf('v'.repeat(length)).buffer;
      expect(byteLength).toBeLessThanOrEqual(Math.max(2_048, length));
    }
  });
});
