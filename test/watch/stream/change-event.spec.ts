import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { InitialBatch } from '../../../lib/watch/stream/change-event.js';
import { rawKeyOf, type KeyRecord } from '../../../lib/backend/key-record.js';

const recordOf = (rawKey: string): KeyRecord => ({
  rawKey,
  value: Buffer.from(rawKey, 'latin1'),
  revision: 3,
  createRevision: 2,
  version: 1,
  lease: undefined,
});

describe('InitialBatch', () => {
  it('sorts the records by the bytes of their keys', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string({ unit: 'binary' }).map(rawKeyOf)), (rawKeys) => {
        const { records, events } = new InitialBatch(9, rawKeys.map(recordOf));

        expect(records.map(({ rawKey }) => rawKey)).toEqual([...rawKeys].sort());
        expect(events.map(({ rawKey, origin, type }) => [rawKey, origin, type])).toEqual(
          [...rawKeys].sort().map((rawKey) => [rawKey, 'initial', 'put']),
        );
      }),
    );
  });

  it('creates its events once', () => {
    const batch = new InitialBatch(9, [recordOf('/b'), recordOf('/a')]);

    expect(batch.events).toBe(batch.events);
    expect(batch).toMatchObject({ revision: 9, origin: 'initial' });
  });
});
