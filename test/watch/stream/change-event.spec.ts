import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChangeEvent, InitialBatch } from '../../../lib/watch/stream/change-event.js';
import { PackedRecord, rawKeyOf, type KeyRecord } from '../../../lib/backend/key-record.js';

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

describe('what is printed', () => {
  const before = new PackedRecord('/a', 'SECRET-1', 4, 4, 1, undefined);
  const put = new ChangeEvent(new PackedRecord('/a', Buffer.from('SECRET-TWO'), 7, 4, 2, '123'), before, 'live');
  const removal = new ChangeEvent({ rawKey: '/a', value: undefined, revision: 8 }, before, 'live');

  it('describes an event, and only the lengths of its values', () => {
    expect(inspect(put)).toBe(
      [
        'WatchEvent {',
        "  type: 'put',",
        "  key: '/a',",
        '  revision: 7,',
        "  origin: 'live',",
        "  lease: '123',",
        '  valueBytes: 10,',
        '  previousBytes: 8',
        '}',
      ].join('\n'),
    );
    expect(JSON.parse(JSON.stringify(put))).toEqual({
      type: 'put',
      key: '/a',
      revision: 7,
      origin: 'live',
      lease: '123',
      valueBytes: 10,
      previousBytes: 8,
    });
  });

  it('has no value of a deletion', () => {
    expect(JSON.stringify(removal)).toBe('{"type":"delete","key":"/a","revision":8,"origin":"live","previousBytes":8}');
    expect(inspect(removal, { breakLength: Infinity })).toBe(
      "WatchEvent { type: 'delete', key: '/a', revision: 8, origin: 'live', previousBytes: 8 }",
    );
  });

  it('escapes and cuts a key for the terminal', () => {
    const long = new ChangeEvent({ ...recordOf(rawKeyOf(`/\u202e${'x'.repeat(400)}`)) }, undefined, 'live');

    expect(inspect(long)).toContain(`'/\\\\u202e${'x'.repeat(298)}...'`);
  });

  it('shows the events of a list, not its records', () => {
    const batch = new InitialBatch(9, [before]);

    expect(inspect(batch, { breakLength: Infinity, depth: 3 })).toBe(
      "{ revision: 9, events: [ WatchEvent { type: 'put', key: '/a', revision: 4, origin: 'initial', valueBytes: 8 } ], origin: 'initial' }",
    );
    expect(JSON.stringify(batch)).not.toContain('SECRET');
  });
});
