import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyInterner } from '../../../lib/etcd/codec/key-interner.js';

describe('keys that came lately', () => {
  it('have the text of their bytes, whatever came before and wherever they stand', () => {
    // Few different ones, and many more than there are places for.
    const key = fc.oneof(
      fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
      fc.nat(100_000).map((number) => Buffer.from(`/app/${number}`)),
    );
    const known = new KeyInterner();
    fc.assert(
      fc.property(fc.array(key, { maxLength: 50 }), fc.nat(20), (keys, before) => {
        for (const bytes of keys) {
          const message = Buffer.concat([Buffer.alloc(before, 7), bytes, Buffer.from('behind')]);
          expect(known.textOf(message, before, before + bytes.length)).toBe(bytes.toString('latin1'));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('are told apart where they share a place', () => {
    const known = new KeyInterner();
    // 31 * 'A' + 'a' === 31 * 'B' + 'B'
    for (const text of ['Aa', 'BB', 'Aa']) expect(known.textOf(Buffer.from(text), 0, 2)).toBe(text);
  });
});
