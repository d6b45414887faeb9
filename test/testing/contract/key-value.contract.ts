import { describe, expect, it } from 'vitest';
import { rawKeyOf, type KeyRecord } from '../../../lib/backend/key-record.js';
import type { Condition, Operation } from '../../../lib/backend/key-value-store.js';
import { eventually } from '../../support/eventually.js';
import type { ContractCluster } from './contract-cluster.js';
import { failureOf, openBackend } from './open-backend.js';

const put = (rawKey: string, value: string | Buffer = 'x', lease?: string): Operation => ({
  type: 'put',
  rawKey,
  value: Buffer.from(value),
  lease,
});
const remove = (rawKey: string): Operation => ({ type: 'delete', rawKey });
/** Describes a record, with revisions relative to the start of the test. */
const seen = (record: KeyRecord | undefined, base: number): unknown[] | undefined =>
  record && [
    record.rawKey,
    record.value.toString(),
    record.revision - base,
    record.createRevision - base,
    record.version,
    record.lease,
  ];

export function keyValueContract(cluster: () => ContractCluster): void {
  describe('reading and writing single keys', () => {
    it('counts revisions and versions', async () => {
      using backend = openBackend(cluster().client);
      const { keyValue } = backend;
      const base = await cluster().revision();
      const get = async (): Promise<unknown> => seen((await keyValue.get('/kv/a')).record, base);
      const commit = async (...operations: Operation[]): Promise<unknown> => {
        const { revision, ...result } = await keyValue.commit({ what: 'test', operations });
        return { ...result, revision: revision - base };
      };

      expect(await get()).toBe(undefined);
      expect(await commit(put('/kv/a', 'one'))).toEqual({ applied: true, deleted: [], revision: 1 });
      expect(await get()).toEqual(['/kv/a', 'one', 1, 1, 1, undefined]);
      await commit(put('/kv/a', 'two'), put('/kv/b'));
      expect(await get()).toEqual(['/kv/a', 'two', 2, 1, 2, undefined]);
      expect(await commit(remove('/kv/a'), remove('/kv/absent'), put('/kv/c'))).toEqual({
        applied: true,
        deleted: ['/kv/a'],
        revision: 3,
      });
      expect(await get()).toBe(undefined);
      await commit(put('/kv/a', 'again'));
      expect(await get()).toEqual(['/kv/a', 'again', 4, 4, 1, undefined]);
      expect((await keyValue.get('/kv/absent')).revision - base).toBe(4);
    });

    it('makes no revision of what changes nothing', async () => {
      using backend = openBackend(cluster().client);
      const base = await cluster().revision();

      const result = await backend.keyValue.commit({ what: 'test', operations: [remove('/kv/never')] });
      expect(result).toEqual({ applied: true, deleted: [], revision: base });
      expect(await cluster().revision()).toBe(base);
    });

    it('applies a transaction only where its conditions hold, and shows what stood in the way', async () => {
      using backend = openBackend(cluster().client);
      const base = await cluster().write({ '/txn/a': 'a', '/txn/b': 'b' });
      const attempt = (a: number, b: number): ReturnType<typeof backend.keyValue.commit> =>
        backend.keyValue.commit({
          what: 'test',
          conditions: [
            { rawKey: '/txn/a', revision: a },
            { rawKey: '/txn/absent', revision: b },
          ],
          operations: [put('/txn/a', 'new'), remove('/txn/b')],
        });

      const refused = await attempt(base, base);
      if (refused.applied) throw new Error('it was applied');
      expect(refused.revision).toBe(base);
      expect(refused.current.map((record) => seen(record, base))).toEqual([
        ['/txn/a', 'a', 0, 0, 1, undefined],
        undefined,
      ]);
      expect(await attempt(base, 0)).toEqual({ applied: true, deleted: ['/txn/b'], revision: base + 1 });
      expect((await attempt(base, 0)).applied).toBe(false);
    });

    it('reads no key for a refusal that tells enough', async () => {
      using backend = openBackend(cluster().client);
      const conditions = [{ rawKey: '/unread', createRevision: 1 }];
      const refused = { what: 'test', conditions, operations: [put('/unread')] };

      const current = { applied: false, revision: await cluster().revision() };
      expect(await backend.keyValue.commit(refused)).toEqual({ ...current, current: [undefined] });
      expect(await backend.keyValue.commit({ ...refused, readsOnRefusal: false })).toEqual({ ...current, current: [] });
    });

    it('compares create revisions and leases, which are 0 for an absent key', async () => {
      using backend = openBackend(cluster().client);
      const lease = await cluster().grantLease(60);
      const created = await cluster().write({ '/cmp/a': 'a' }, lease);
      const written = await cluster().write({ '/cmp/a': 'b' }, lease);
      const holds = async (condition: Omit<Condition, 'rawKey'>, rawKey = '/cmp/a'): Promise<boolean> => {
        const conditions = [{ rawKey, ...condition }];
        return (await backend.keyValue.commit({ what: 'test', conditions, operations: [remove('/cmp/never')] }))
          .applied;
      };

      expect(await holds({ createRevision: created, lease })).toBe(true);
      expect(await holds({ createRevision: created, lease, revision: written })).toBe(true);
      expect(await holds({ createRevision: written, lease })).toBe(false);
      expect(await holds({ createRevision: created, lease: '12345' })).toBe(false);
      expect(await holds({ createRevision: created, lease, revision: created })).toBe(false);
      expect(await holds({ createRevision: 0, lease: '0', revision: 0 }, '/cmp/absent')).toBe(true);
      expect(await holds({ lease }, '/cmp/absent')).toBe(false);
    });

    it('compares the create revisions of all keys with a prefix', async () => {
      using backend = openBackend(cluster().client);
      const first = await cluster().write({ '/first/b': 'b' });
      const second = await cluster().write({ '/first/a': 'a' });
      await cluster().write({ '/first/b': 'changed' });
      const holds = async (rawKey: string, noneCreatedBefore: number): Promise<boolean> => {
        const conditions = [{ rawKey, noneCreatedBefore }];
        return (await backend.keyValue.commit({ what: 'test', conditions, operations: [] })).applied;
      };

      expect(await Promise.all([1, first, first + 1, second, 0].map((revision) => holds('/first/', revision)))).toEqual(
        [true, true, false, false, false],
      );
      expect(await Promise.all([0, 1, first].map((revision) => holds('/first/c', revision)))).toEqual([
        true,
        false,
        false,
      ]);
      const base = await cluster().revision();
      await cluster().write({ '/first/b': undefined });
      expect([await holds('/first/', second), await holds('/first/', second + 1)]).toEqual([true, false]);
      expect(await cluster().revision()).toBe(base + 1);
    });

    it('answers a condition on the first key of a prefix with the newest key that breaks it', async () => {
      using backend = openBackend(cluster().client);
      const revisions: number[] = [];
      for (const key of ['/newest/c', '/newest/a', '/newest/b']) revisions.push(await cluster().write({ [key]: 'x' }));
      const newest = async (noneCreatedBefore: number): Promise<string | undefined> => {
        const conditions = [{ rawKey: '/newest/', noneCreatedBefore }];
        const result = await backend.keyValue.commit({ what: 'test', conditions, operations: [] });
        return result.applied ? undefined : result.current[0]?.rawKey;
      };

      const [first = 0, second = 0, third = 0] = revisions;
      expect(await Promise.all([0, first, second, third, third + 1].map(newest))).toEqual([
        '/newest/b',
        undefined,
        '/newest/c',
        '/newest/a',
        '/newest/b',
      ]);
    });

    it('refuses two changes of one key in one transaction', async () => {
      using backend = openBackend(cluster().client);
      const base = await cluster().revision();
      const failure = {
        name: 'InvalidOptionsError',
        message: 'test: etcdserver: duplicate key given in txn request',
      };

      for (const operations of [
        [put('/twice'), put('/twice')],
        [put('/twice'), remove('/twice')],
        [remove('/twice'), put('/twice')],
      ]) {
        expect(await failureOf(backend.keyValue.commit({ what: 'test', operations }))).toEqual(failure);
      }
      expect(await cluster().revision()).toBe(base);
    });

    it('refuses what is larger than etcd takes, before it is sent', async () => {
      using backend = openBackend(cluster().client, '/prefixed');
      const many = Array.from({ length: 129 }, (_, index) => put(`/many/${index}`));
      const size = 1.5 * 1024 * 1024;

      expect(await failureOf(backend.keyValue.commit({ what: 'test', operations: many }))).toEqual({
        name: 'WriteError',
        message: 'test: 129 operations, etcd takes at most 128 (limits.transactionOperations); nothing was sent',
      });
      expect(
        await failureOf(backend.keyValue.commit({ what: 'test', operations: [put('/big', Buffer.alloc(size))] })),
      ).toEqual({
        name: 'WriteError',
        message: `test: ${size + 53} bytes, etcd takes at most ${size} (limits.requestBytes); nothing was sent`,
      });
      const { applied } = await backend.keyValue.commit({
        what: 'test',
        operations: [...many.slice(0, 127), put('/big', Buffer.alloc(1024 * 1024))],
      });
      expect(applied).toBe(true);
    });

    it('takes the limits from the options', async () => {
      const limits = { transactionOperations: 2, requestBytes: 1_000 };
      using backend = openBackend(cluster().client, '/limited', limits);
      const commit = (...operations: Operation[]) => backend.keyValue.commit({ what: 'test', operations });

      expect((await commit(put('/a'), put('/b'))).applied).toBe(true);
      expect((await failureOf(commit(put('/a'), put('/b'), put('/c')))).message).toContain('takes at most 2');
      expect((await failureOf(commit(put('/a', Buffer.alloc(1_000))))).message).toContain('takes at most 1000');
    });

    it('reads the past, as far as it is there', async () => {
      using backend = openBackend(cluster().client, '/past');
      const base = await cluster().write({ '/past/a': 'one' });
      await cluster().write({ '/past/a': 'two' });
      await cluster().write({ '/past/a': undefined });
      const at = async (revision: number): Promise<unknown> => {
        const { record } = await backend.keyValue.get('/a', { revision });
        return record && [record.rawKey, record.value.toString(), record.revision - base];
      };

      expect(await at(base + 1)).toEqual(['/a', 'two', 1]);
      expect(await at(base + 2)).toBe(undefined);
      await cluster().compact(base);
      expect(await at(base)).toEqual(['/a', 'one', 0]);
      expect((await failureOf(at(base - 1))).name).toBe('CompactedError');
      expect((await failureOf(at(base + 3))).name).toBe('FutureRevisionError');
    });

    it('refuses all of a transaction that names a lease which does not exist, where its conditions hold', async () => {
      using backend = openBackend(cluster().client);
      const operations = [put('/unleased'), put('/leased', 'x', '12345')];
      const commit = backend.keyValue.commit({ what: 'test', operations });

      expect(await failureOf(commit)).toEqual({
        name: 'LeaseNotFoundError',
        message: 'test: etcdserver: requested lease not found',
      });
      expect((await backend.keyValue.get('/unleased')).record).toBe(undefined);
      const conditions = [{ rawKey: '/unleased', revision: 1 }];
      expect(await backend.keyValue.commit({ what: 'test', conditions, operations })).toMatchObject({ applied: false });
    });

    it('grants leases, renews them while they are there, and ends them with their keys', async () => {
      using backend = openBackend(cluster().client);
      const { signal } = new AbortController();
      const { id, ttlSeconds } = await backend.leases.grant(60);
      await backend.keyValue.commit({ what: 'test', operations: [put('/held', 'x', id)] });

      expect(ttlSeconds).toBe(60);
      expect(await backend.leases.renew(id, signal)).toBe(true);
      await backend.leases.revoke(id, signal);
      expect((await backend.keyValue.get('/held')).record).toBe(undefined);
      expect(await backend.leases.renew(id, signal)).toBe(false);
      await backend.leases.revoke(id, signal);
    });

    it('keeps any bytes, and lets nobody change what it keeps', async () => {
      using backend = openBackend(cluster().client);
      const rawKey = rawKeyOf(Buffer.from([0x2f, 0xff, 0x00, 0xc3]));
      const value = Buffer.from([0, 255, 128]);
      await backend.keyValue.commit({ what: 'test', operations: [put(rawKey, value), put('/empty', '')] });
      value.fill(1);

      const { record } = await backend.keyValue.get(rawKey);
      expect(record?.value.toString('hex')).toBe('00ff80');
      record?.value.fill(1);
      expect((await backend.keyValue.get(rawKey)).record?.value.toString('hex')).toBe('00ff80');
      expect((await backend.keyValue.get('/empty')).record?.value.length).toBe(0);
    });

    it('knows keys without the prefix of the application', async () => {
      using mine = openBackend(cluster().client, '/mine');
      using all = openBackend(cluster().client);
      await mine.keyValue.commit({ what: 'test', operations: [put('/a', 'own')] });

      expect((await mine.keyValue.get('/a')).record?.rawKey).toBe('/a');
      expect((await all.keyValue.get('/mine/a')).record?.value.toString()).toBe('own');
      expect((await all.keyValue.get('/a')).record).toBe(undefined);
      const refused = await mine.keyValue.commit({
        what: 'test',
        conditions: [{ rawKey: '/a', revision: 0 }],
        operations: [],
      });
      expect(refused.applied ? [] : refused.current.map((record) => record?.rawKey)).toEqual(['/a']);
    });

    it('says what happened to a request that the connection did not carry', async () => {
      using backend = openBackend(cluster().client);
      const before = await cluster().write({ '/lost': 'before' });
      await backend.keyValue.get('/lost');
      await cluster().freeze();
      const write = failureOf(backend.keyValue.commit({ what: 'test', operations: [put('/lost', 'after')] }));
      await eventually(async () => (await cluster().revision()) > before);
      await cluster().disconnect();

      expect(await write).toEqual({
        name: 'UnknownOutcomeError',
        message: 'test: the answer was lost, so it may or may not have been applied; it was not sent again',
      });
      expect((await failureOf(backend.keyValue.get('/lost'))).name).toBe('ConnectionError');
      const refused = backend.keyValue.commit({ what: 'test', operations: [put('/lost', 'never')] });
      expect((await failureOf(refused)).name).toBe('ConnectionError');
      await cluster().reconnect();
      expect(seen((await backend.keyValue.get('/lost')).record, before)).toEqual([
        '/lost',
        'after',
        1,
        0,
        2,
        undefined,
      ]);
    });

    it('does nothing that is denied, and nothing when it is closed', async () => {
      using backend = openBackend(cluster().restrictedClient);
      const { keyValue } = backend;

      expect(await failureOf(keyValue.get('/denied/a'))).toEqual({
        name: 'PermissionDeniedError',
        message: `get "/denied/a": etcdserver: permission denied; a role of the client's user needs the permission`,
      });
      expect(
        await failureOf(keyValue.commit({ what: 'test', operations: [put('/allowed/a'), put('/denied/a')] })),
      ).toEqual({
        name: 'PermissionDeniedError',
        message: `test: etcdserver: permission denied; a role of the client's user needs the permission`,
      });
      expect((await keyValue.get('/allowed/a')).record).toBe(undefined);
      backend.close();
      expect(await failureOf(keyValue.get('/allowed/a'))).toEqual({
        name: 'ConnectionClosedError',
        message: 'get "/allowed/a": the module is closed',
      });
    });
  });
}
