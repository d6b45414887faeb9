import type { Client } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { KeyInterner } from '../../../lib/etcd/codec/key-interner.js';
import { RangePage } from '../../../lib/etcd/codec/range-codec.js';
import { decodeWatchResponse, NO_WATCH, watchIdOf } from '../../../lib/etcd/codec/watch-codec.js';
import { keyBytesOf } from '../../../lib/backend/key-record.js';

const client = new Etcd3({ hosts: 'http://127.0.0.1:1' });
const pool = client['pool'] as unknown as { hosts: { getServiceClient: (name: string) => Client }[] };
type Encode = (message: object) => Buffer;
/** The encoder of a method's responses in etcd3, which reads the definitions of etcd. */
const encoderOf = (service: string, method: string): Encode => {
  const { constructor } = pool.hosts[0]?.getServiceClient(service) as Client;
  const { service: methods } = constructor as unknown as {
    service: Record<string, { responseSerialize: Encode }>;
  };
  return (message) => (methods[method] as { responseSerialize: Encode }).responseSerialize(message);
};

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const revision = fc.nat({ max: Number.MAX_SAFE_INTEGER });
const kv = fc.record({
  key: bytes.filter(({ length }) => length > 0),
  value: fc.oneof(
    bytes,
    fc.integer({ min: 1_000, max: 3_000 }).map((length) => Buffer.alloc(length, 200)),
  ),
  mod_revision: revision,
  create_revision: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  version: revision,
  lease: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
});

describe('the decoder of watch messages', () => {
  const encode = encoderOf('Watch', 'Watch');
  afterAll(() => {
    client.close();
  });

  it("reads whatever etcd3's own definitions write", () => {
    const message = fc.record({
      header: fc.record({ cluster_id: fc.bigInt({ min: 1n, max: 2n ** 64n - 1n }).map(String), revision }),
      watch_id: fc.nat(),
      created: fc.boolean(),
      canceled: fc.boolean(),
      compact_revision: revision,
      cancel_reason: fc.string(),
      fragment: fc.boolean(),
      events: fc.array(fc.record({ type: fc.constantFrom('Put', 'Delete'), kv }), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(message, (given) => {
        const decoded = decodeWatchResponse(encode(given), '', new KeyInterner());

        expect(decoded).toMatchObject({
          revision: given.header.revision,
          clusterId: given.created ? given.header.cluster_id : '',
          watchId: given.watch_id,
          created: given.created,
          canceled: given.canceled,
          compactRevision: given.compact_revision,
          cancelReason: given.cancel_reason,
          fragment: given.fragment,
        });
        expect(decoded.changes.length).toBe(given.events.length);
        given.events.forEach(({ type, kv: written }, index) => {
          const change = decoded.changes[index];
          expect(keyBytesOf(change?.rawKey ?? '').equals(written.key)).toBe(true);
          expect(change?.revision).toBe(written.mod_revision);
          if (type === 'Delete') {
            expect(change?.value).toBeUndefined();
          } else {
            expect(change?.value?.equals(written.value)).toBe(true);
            expect(change).toMatchObject({
              createRevision: written.create_revision,
              version: written.version,
              lease: written.lease === '0' ? undefined : written.lease,
            });
          }
        });
      }),
      { numRuns: 500 },
    );
  });

  it('refuses revisions that no number can hold, and messages that end too early', () => {
    const large = encode({
      events: [{ type: 'Put', kv: { key: Buffer.from('k'), mod_revision: '9007199254740993' } }],
    });
    expect(() => decodeWatchResponse(large, '', new KeyInterner())).toThrow(/larger than 2\^53/);

    const whole = encode({
      header: { revision: '300' },
      events: [{ type: 'Put', kv: { key: Buffer.from('key'), value: Buffer.alloc(50), mod_revision: '300' } }],
    });
    for (let length = 1; length < whole.length; length += 1) {
      const cut = whole.subarray(0, length);
      try {
        decodeWatchResponse(cut, '', new KeyInterner());
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }
    expect(() => decodeWatchResponse(whole.subarray(0, whole.length - 1), '', new KeyInterner())).toThrow(RangeError);
  });

  it('gives values memory of their own, so that keeping one does not keep the message', () => {
    const value = Buffer.alloc(2_000, 1);
    const message = encode({
      events: Array.from({ length: 50 }, () => ({
        type: 'Put',
        kv: { key: Buffer.from('k'), value, create_revision: '1', mod_revision: '5' },
      })),
    });
    const { changes } = decodeWatchResponse(message, '', new KeyInterner());

    for (const { value: kept } of changes) expect(kept?.buffer.byteLength).toBeLessThan(3_000);
  });

  it('reads the id of an answer that belongs to no watch, also from the beginning of a message', () => {
    const message = encode({ header: { revision: '7' }, watch_id: -1 });

    expect(decodeWatchResponse(message, '', new KeyInterner())).toMatchObject({ watchId: NO_WATCH, revision: 7 });
    expect(watchIdOf(message)).toBe(NO_WATCH);
  });

  it('reads the watch id from the beginning of a message only if it is complete there', () => {
    const message = encode({ header: { revision: '7' }, watch_id: 300, events: [{ kv: { key: Buffer.alloc(9) } }] });
    const idEnd = message.indexOf(Buffer.from([0x10, 0xac, 0x02])) + 3;

    expect(watchIdOf(message.subarray(0, idEnd))).toBe(300);
    expect(watchIdOf(message.subarray(0, idEnd - 1))).toBeUndefined();
  });

  it.each(['/tenanu/k', '/tenan', 'x/tenant/k', ''])('rejects the key %j, which lacks the key prefix', (key) => {
    const message = encode({ events: [{ type: 'Put', kv: { key: Buffer.from(key), mod_revision: '5' } }] });

    expect(() => decodeWatchResponse(message, '/tenant', new KeyInterner())).toThrow(/lacks the key prefix/);
  });

  it('removes a key prefix that is not ASCII, byte by byte', () => {
    const key = Buffer.from('/möbel/k');
    const message = encode({ events: [{ type: 'Put', kv: { key, mod_revision: '5', create_revision: '1' } }] });

    const { changes } = decodeWatchResponse(message, Buffer.from('/möbel').toString('latin1'), new KeyInterner());

    expect(changes[0]?.rawKey).toBe('/k');
  });

  it("leaves out the cluster's key prefix", () => {
    const message = encode({
      events: [{ type: 'Put', kv: { key: Buffer.from('/tenant/k'), mod_revision: '5', create_revision: '1' } }],
    });
    expect(decodeWatchResponse(message, '/tenant', new KeyInterner()).changes[0]?.rawKey).toBe('/k');
  });
});

describe('the decoder of lists', () => {
  const encode = encoderOf('KV', 'Range');

  it("reads whatever etcd3's own definitions write", () => {
    fc.assert(
      fc.property(fc.array(kv, { maxLength: 20 }), fc.boolean(), revision, (kvs, more, at) => {
        const page = new RangePage(
          encode({ header: { cluster_id: '18446744073709551615', revision: at }, kvs, more }),
          '',
        );
        const records = page.records();

        expect(page).toMatchObject({ revision: at, more, clusterId: '18446744073709551615', count: kvs.length });
        expect(page.lastKey).toBe(records.at(-1)?.rawKey);
        records.forEach((record, index) => {
          expect(keyBytesOf(record.rawKey).equals(kvs[index]?.key ?? Buffer.alloc(0))).toBe(true);
          expect(record.value.equals(kvs[index]?.value ?? Buffer.alloc(1))).toBe(true);
          expect(record.version).toBe(kvs[index]?.version);
        });
        expect(records.length).toBe(kvs.length);
      }),
      { numRuns: 200 },
    );
  });

  it('rejects a key without the key prefix', () => {
    const kvs = ['/tenant/a', '/other/b', '/tenant/c'].map((key) => ({ key: Buffer.from(key), mod_revision: '5' }));
    const page = new RangePage(encode({ kvs }), '/tenant');

    expect(page.lastKey).toBe('/c');
    expect(() => page.records()).toThrow(/lacks the key prefix/);
    expect(() => new RangePage(encode({ kvs: kvs.slice(0, 2) }), '/tenant')).toThrow(/lacks the key prefix/);
  });

  it('lets a value keep a piece of the page, never the page', () => {
    const sizes = Array.from({ length: 400 }, (_, index) => (index % 50 === 0 ? 20_000 : 300));
    const kvs = sizes.map((size, index) => ({
      key: Buffer.from(`k${index}`),
      value: Buffer.alloc(size, index),
      mod_revision: '5',
      create_revision: '1',
    }));
    const records = new RangePage(encode({ kvs }), '').records();

    records.forEach(({ value }, index) => {
      expect(value.equals(kvs[index]?.value ?? Buffer.alloc(0))).toBe(true);
      expect(value.buffer.byteLength).toBeLessThan(Math.max(8_200, 2 * value.length));
    });
  });
});
