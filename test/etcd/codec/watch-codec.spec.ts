import type { Client } from '@grpc/grpc-js';
import { Etcd3 } from 'etcd3';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { definitionOf } from '../../../lib/etcd/connection/member.js';
import { KeyInterner } from '../../../lib/etcd/codec/key-interner.js';
import { RangePage } from '../../../lib/etcd/codec/range-codec.js';
import { decodeWatchResponse } from '../../../lib/etcd/codec/watch-codec.js';
import { keyBytesOf } from '../../../lib/backend/key-record.js';

const client = new Etcd3({ hosts: 'http://127.0.0.1:1' });
const pool = client['pool'] as unknown as { hosts: { getServiceClient: (name: string) => Client }[] };
const encoderOf = (service: string, method: string): ((message: object) => Buffer) =>
  definitionOf(pool.hosts[0]?.getServiceClient(service) as Client, method).responseSerialize as (
    message: object,
  ) => Buffer;

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
      watch_id: fc.nat().map(String),
      created: fc.boolean(),
      canceled: fc.boolean(),
      compact_revision: revision,
      cancel_reason: fc.string(),
      fragment: fc.boolean(),
      events: fc.array(fc.record({ type: fc.constantFrom('Put', 'Delete'), kv }), { maxLength: 5 }),
    });
    fc.assert(
      fc.property(message, (given) => {
        const decoded = decodeWatchResponse(encode(given), 0, new KeyInterner());

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
    expect(() => decodeWatchResponse(large, 0, new KeyInterner())).toThrow(/larger than 2\^53/);

    const whole = encode({
      header: { revision: '300' },
      events: [{ type: 'Put', kv: { key: Buffer.from('key'), value: Buffer.alloc(50), mod_revision: '300' } }],
    });
    for (let length = 1; length < whole.length; length += 1) {
      const cut = whole.subarray(0, length);
      try {
        decodeWatchResponse(cut, 0, new KeyInterner());
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
      }
    }
    expect(() => decodeWatchResponse(whole.subarray(0, whole.length - 1), 0, new KeyInterner())).toThrow(RangeError);
  });

  it('gives values memory of their own, so that keeping one does not keep the message', () => {
    const value = Buffer.alloc(2_000, 1);
    const message = encode({
      events: Array.from({ length: 50 }, () => ({
        type: 'Put',
        kv: { key: Buffer.from('k'), value, create_revision: '1', mod_revision: '5' },
      })),
    });
    const { changes } = decodeWatchResponse(message, 0, new KeyInterner());

    for (const { value: kept } of changes) expect(kept?.buffer.byteLength).toBeLessThan(3_000);
  });

  it("leaves out the cluster's key prefix", () => {
    const message = encode({
      events: [{ type: 'Put', kv: { key: Buffer.from('/tenant/k'), mod_revision: '5', create_revision: '1' } }],
    });
    expect(decodeWatchResponse(message, '/tenant'.length, new KeyInterner()).changes[0]?.rawKey).toBe('/k');
  });
});

describe('the decoder of lists', () => {
  const encode = encoderOf('KV', 'Range');

  it("reads whatever etcd3's own definitions write", () => {
    fc.assert(
      fc.property(fc.array(kv, { maxLength: 20 }), fc.boolean(), revision, (kvs, more, at) => {
        const page = new RangePage(
          encode({ header: { cluster_id: '18446744073709551615', revision: at }, kvs, more }),
          0,
        );
        const records = page.records();

        expect(page).toMatchObject({ revision: at, more, clusterId: '18446744073709551615', count: kvs.length });
        expect(page.lastId).toBe(records.at(-1)?.rawKey);
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

  it('lets a value keep a piece of the page, never the page', () => {
    const sizes = Array.from({ length: 400 }, (_, index) => (index % 50 === 0 ? 20_000 : 300));
    const kvs = sizes.map((size, index) => ({
      key: Buffer.from(`k${index}`),
      value: Buffer.alloc(size, index),
      mod_revision: '5',
      create_revision: '1',
    }));
    const records = new RangePage(encode({ kvs }), 0).records();

    records.forEach(({ value }, index) => {
      expect(value.equals(kvs[index]?.value ?? Buffer.alloc(0))).toBe(true);
      expect(value.buffer.byteLength).toBeLessThan(Math.max(8_200, 2 * value.length));
    });
  });
});
