import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InitialBatch } from '../../../lib/watch/stream/change-event.js';
import { rawKeyOf, type KeyRecord } from '../../../lib/backend/key-record.js';

const recordOf = (rawKey: string): KeyRecord => ({
  rawKey: rawKey,
  value: Buffer.from(rawKey, 'latin1'),
  revision: 3,
  createRevision: 2,
  version: 1,
  lease: undefined,
});

describe('what a late listener is given', () => {
  it('is everything that is known, in the order of its bytes, in whatever order it was learnt', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'binary' }).map(rawKeyOf)), (ids) => {
        const { records, events } = new InitialBatch(9, ids.map(recordOf));

        expect(records.map(({ rawKey }) => rawKey)).toEqual([...ids].sort());
        expect(events.map(({ rawKey, origin, type }) => [rawKey, origin, type])).toEqual(
          [...ids].sort().map((rawKey) => [rawKey, 'initial', 'put']),
        );
      }),
    );
  });

  it('makes its events once', () => {
    const batch = new InitialBatch(9, [recordOf('/b'), recordOf('/a')]);

    expect(batch.events).toBe(batch.events);
    expect(batch).toMatchObject({ revision: 9, origin: 'initial' });
  });
});
