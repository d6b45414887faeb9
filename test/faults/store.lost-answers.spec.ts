import { IsInt, IsString } from 'class-validator';
import { PermissionDeniedError, RevisionConflictError, UnknownOutcomeError } from 'nestjs-etcd-trigger';
import { beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { APP, startSecured } from '../support/secured-cluster.js';
import { startApp, type StartedApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Entry {
  @IsInt() count!: number;
  @IsString() by!: string;
}
const KEY = '/entries/1';
const configs = [{ prefix: '/entries/', type: Entry }];
/** Larger than any keep-alive frame, smaller than any write. */
const REQUEST_BYTES = 60;
const entry = (count: number, by = 'us'): Entry => ({ count, by });

describe('a write whose answer is lost', () => {
  const etcd = ownEtcd();
  const { put } = etcd;
  let proxy: TcpProxy;

  beforeEach(async () => {
    proxy = await TcpProxy.start(etcd.first.clientPort);
  });

  const start = (more: object = {}) => startApp({ hosts: proxy.endpoint, configs, ...more });
  const currentRecord = async (): Promise<{ version: number; revision: number; value: unknown } | undefined> => {
    const [found] = (await etcd.direct.get(KEY).exec()).kvs;
    if (!found) return undefined;
    const value: unknown = JSON.parse(found.value.toString());
    return { version: Number(found.version), revision: Number(found.mod_revision), value };
  };
  /** The request is applied, but its answer is lost. */
  const loseAnswer = async <T>(write: () => Promise<T>): Promise<PromiseSettledResult<T>> => {
    const before = (await currentRecord())?.revision;
    proxy.freeze('down');
    const [writing] = [Promise.allSettled([write()])];
    await eventually(async () => (await currentRecord())?.revision !== before);
    proxy.cut();
    proxy.thaw();
    return (await writing)[0];
  };
  /** The request is held back and lost, while `meanwhile` runs. */
  const loseRequest = async <T>(
    write: () => Promise<T>,
    meanwhile: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<PromiseSettledResult<T>> => {
    const sent = proxy.bytesUp;
    proxy.freeze('up');
    const writing = Promise.allSettled([write()]);
    await meanwhile();
    // The request is discarded with the connection.
    await eventually(() => proxy.bufferedUp > REQUEST_BYTES);
    expect(proxy.bytesUp).toBe(sent);
    proxy.cut();
    proxy.thaw();
    return (await writing)[0];
  };
  const other = () => put(KEY, entry(9, 'other'));

  describe('with outcomes', () => {
    const outcomes = { prefix: '/outcomes' };
    const writes: [string, (app: StartedApp, revision: number) => Promise<{ revision: number }>][] = [
      ['put', (app) => app.store.put(KEY, entry(2))],
      ['put at a revision', (app, ifRevision) => app.store.put(KEY, entry(2), { ifRevision })],
      ['update', (app) => app.store.update(KEY, Entry, (current) => entry((current?.count ?? 0) + 1))],
      [
        'transaction',
        (app) =>
          app.store.transaction((tx) => {
            tx.put(KEY, entry(2));
            tx.put('/entries/2', entry(2));
          }),
      ],
    ];

    it.each(writes)('is reported as applied exactly once: %s', async (_, write) => {
      await using app = await start({ outcomes });
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await loseAnswer(() => write(app, revision));
      const found = await currentRecord();

      expect(found).toMatchObject({ version: 2, value: entry(2) });
      expect(result).toMatchObject({ status: 'fulfilled', value: { revision: found?.revision, visible: true } });
      proxy.stop();
    });

    it.each(writes)('is applied once if the request was lost: %s', async (_, write) => {
      await using app = await start({ outcomes });
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await loseRequest(() => write(app, revision));
      const found = await currentRecord();

      expect(found).toMatchObject({ version: 2, value: entry(2) });
      expect(result).toMatchObject({ status: 'fulfilled', value: { revision: found?.revision } });
      proxy.stop();
    });

    it('returns whether a deletion removed the key', async () => {
      await using app = await start({ outcomes });
      await app.store.put(KEY, entry(1));

      expect(await loseAnswer(() => app.store.delete(KEY))).toMatchObject({ value: { deleted: true } });
      proxy.stop();
    });

    it('writes markers only under their prefix and with a lease, so all of them expire', async () => {
      await using app = await start({ outcomes });
      await app.store.put(KEY, entry(1));
      await loseAnswer(() => app.store.put(KEY, entry(2)));
      const { kvs } = await etcd.direct.getAll().exec();
      const markers = kvs.filter(({ key }) => key.toString() !== KEY);

      expect(markers.length).toBe(2);
      for (const { key, lease, value } of markers) {
        expect(key.toString()).toMatch(/^\/outcomes\/[0-9a-f-]{36}$/);
        expect(value.toString()).toBe('written');
        const { TTL } = await etcd.direct.leaseClient.leaseTimeToLive({ ID: lease });
        expect(Number(TTL)).toBeLessThanOrEqual(60);
        expect(Number(TTL)).toBeGreaterThan(0);
      }
      proxy.stop();
    });

    it('uses another lease if etcd no longer knows the lease of the markers', async () => {
      await using app = await start({ outcomes });
      await app.store.put(KEY, entry(1));
      for (const { ID } of (await etcd.direct.leaseClient.leaseLeases()).leases)
        await etcd.direct.leaseClient.leaseRevoke({ ID });

      expect(await app.store.put(KEY, entry(2))).toMatchObject({ visible: true });
      proxy.stop();
    });

    it('needs no other permission than reading and writing that prefix', async () => {
      await using secured = await startSecured();
      const { hosts } = secured.etcd;
      const options = { hosts, client: { hosts, auth: APP }, configs: [{ prefix: '/allowed/', type: Entry }] };
      await using app = await startApp({ ...options, outcomes });
      await expect(app.store.put('/allowed/1', entry(1))).rejects.toThrow(PermissionDeniedError);
      const range = secured.admin.range({ prefix: '/outcomes/' });
      await secured.admin.role('app').grant({ permission: 'Readwrite', range });

      expect(await app.store.put('/allowed/1', entry(1))).toMatchObject({ visible: true });
    });
  });

  describe('with an audit trail', () => {
    const audit = { prefix: '/audit' };
    const leases = async (): Promise<string[]> =>
      (await etcd.direct.leaseClient.leaseLeases()).leases.map(({ ID }) => ID);
    const revokeAll = async (): Promise<void> => {
      for (const ID of await leases()) await etcd.direct.leaseClient.leaseRevoke({ ID });
    };

    it.each<[string, (app: StartedApp, revision: number) => Promise<{ revision: number }>]>([
      ['put at a revision', (app, ifRevision) => app.store.put(KEY, entry(2), { ifRevision })],
      ['update', (app) => app.store.update(KEY, Entry, () => entry(2))],
      ['delete', (app, ifRevision) => app.store.delete(KEY, { ifRevision })],
    ])('is reported as applied, which its record proves: %s', async (_, write) => {
      await using app = await start({ audit });
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await loseAnswer(() => write(app, revision));
      const records = await app.store.audit(KEY);

      expect(records).toHaveLength(2);
      expect(result).toMatchObject({ status: 'fulfilled', value: { revision: records[0]?.revision } });
      proxy.stop();
    });

    it('is reported as applied although the lease of its record was revoked meanwhile', async () => {
      await using app = await start({ audit });
      const { revision } = await app.store.put(KEY, entry(1));
      proxy.freeze('down');
      const writing = app.store.put(KEY, entry(2), { ifRevision: revision });
      await eventually(async () => (await currentRecord())?.version === 2);
      await revokeAll();
      proxy.cut();
      proxy.thaw();

      expect((await writing).revision).toBe((await currentRecord())?.revision);
      proxy.stop();
    });

    it('is sent once if it is the grant of the lease whose answer is lost, and leaves no unused lease', async () => {
      await revokeAll();
      await using app = await start({ audit });
      proxy.freeze('down');
      const writing = app.store.put(KEY, entry(1));
      await eventually(async () => (await leases()).length === 1);
      proxy.cut();
      proxy.thaw();

      await writing;
      expect(await currentRecord()).toMatchObject({ version: 1 });
      expect(await leases()).toHaveLength(1);
      expect(await app.store.audit(KEY)).toHaveLength(1);
      proxy.stop();
    });
  });

  describe('without outcomes', () => {
    it('is resolved by sending it again if its condition can hold only once', async () => {
      await using app = await start();
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await loseRequest(() => app.store.put(KEY, entry(2), { ifRevision: revision }));
      const found = await currentRecord();

      expect(found).toMatchObject({ version: 2, value: entry(2) });
      expect(result).toMatchObject({ status: 'fulfilled', value: { revision: found?.revision } });
      proxy.stop();
    });

    it('is a conflict if the first change since then proves that another client made it', async () => {
      await using app = await start();
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await loseRequest(() => app.store.put(KEY, entry(2), { ifRevision: revision }), other);

      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(RevisionConflictError) as unknown });
      expect(await currentRecord()).toMatchObject({ version: 2, value: entry(9, 'other') });
      proxy.stop();
    });

    it.each<[string, (app: StartedApp, revision: number) => Promise<unknown>]>([
      ['that was applied', (app, ifRevision) => app.store.put(KEY, entry(2), { ifRevision })],
      ['without a condition', (app) => app.store.put(KEY, entry(2))],
    ])('is unknown if nothing proves the outcome: %s', async (_, write) => {
      await using app = await start();
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await loseAnswer(() => write(app, revision));

      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(UnknownOutcomeError) as unknown });
      expect(await currentRecord()).toMatchObject({ version: 2 });
      proxy.stop();
    });

    it('is never sent again with ifAbsent, because the key may become absent again', async () => {
      await using app = await start();
      const result = await loseRequest(() => app.store.put(KEY, entry(1), { ifAbsent: true }));

      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(UnknownOutcomeError) as unknown });
      expect(await currentRecord()).toBeUndefined();
      proxy.stop();
    });
  });
});
