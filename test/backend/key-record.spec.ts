import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { valueBytesOf } from '../../lib/backend/key-record.js';

describe('valueBytesOf', () => {
  it('converts each text to its bytes, and no two texts share a byte', () => {
    const texts = fc.array(
      fc.uint8Array({ maxLength: 700 }).map((array) => Buffer.from(array).toString('latin1')),
      { minLength: 1, maxLength: 30 },
    );
    fc.assert(
      fc.property(texts, (values) => {
        const all = values.map(valueBytesOf);
        // Modifying one buffer must not change another.
        all[0]?.fill(0);
        all.slice(1).forEach((bytes, index) => {
          expect(bytes.toString('latin1')).toBe(values[index + 1]);
        });
      }),
      { numRuns: 200 },
    );
  });

  it('returns buffers that retain little more memory than their own', () => {
    for (const length of [1, 300, 500, 600, 5_000]) {
      const { byteLength } = valueBytesOf('v'.repeat(length)).buffer;
      expect(byteLength).toBeLessThanOrEqual(Math.max(2_048, length));
    }
  });
});
