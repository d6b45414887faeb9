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
/** More than any frame that only keeps a connection alive, less than any write. */
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
  const held = async (): Promise<{ version: number; revision: number; value: unknown } | undefined> => {
    const [found] = (await etcd.direct.get(KEY).exec()).kvs;
    if (!found) return undefined;
    const value: unknown = JSON.parse(found.value.toString());
    return { version: Number(found.version), revision: Number(found.mod_revision), value };
  };
  /** The request arrives and is applied; its answer never comes. */
  const losingTheAnswer = async <T>(write: () => Promise<T>): Promise<PromiseSettledResult<T>> => {
    const before = (await held())?.revision;
    proxy.freeze('down');
    const [writing] = [Promise.allSettled([write()])];
    await eventually(async () => (await held())?.revision !== before);
    proxy.cut();
    proxy.thaw();
    return (await writing)[0];
  };
  /** The request is on its way and never arrives; meanwhile something happens. */
  const losingTheRequest = async <T>(
    write: () => Promise<T>,
    meanwhile: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<PromiseSettledResult<T>> => {
    const sent = proxy.bytesUp;
    proxy.freeze('up');
    const writing = Promise.allSettled([write()]);
    await meanwhile();
    // What was held back is thrown away with the connection.
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

    it.each(writes)('is known to be applied, once: %s', async (_, write) => {
      await using app = await start({ outcomes });
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await losingTheAnswer(() => write(app, revision));
      const found = await held();

      expect(found).toMatchObject({ version: 2, value: entry(2) });
      expect(result).toMatchObject({ status: 'fulfilled', value: { revision: found?.revision, visible: true } });
      proxy.stop();
    });

    it.each(writes)('is applied once where the request was lost: %s', async (_, write) => {
      await using app = await start({ outcomes });
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await losingTheRequest(() => write(app, revision));
      const found = await held();

      expect(found).toMatchObject({ version: 2, value: entry(2) });
      expect(result).toMatchObject({ status: 'fulfilled', value: { revision: found?.revision } });
      proxy.stop();
    });

    it('says of a deletion whether it removed something', async () => {
      await using app = await start({ outcomes });
      await app.store.put(KEY, entry(1));

      expect(await losingTheAnswer(() => app.store.delete(KEY))).toMatchObject({ value: { deleted: true } });
      proxy.stop();
    });

    it('leaves markers only below their prefix, each under a lease, and none for ever', async () => {
      await using app = await start({ outcomes });
      await app.store.put(KEY, entry(1));
      await losingTheAnswer(() => app.store.put(KEY, entry(2)));
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

    it('goes on with another lease when etcd no longer knows the one of the markers', async () => {
      await using app = await start({ outcomes });
      await app.store.put(KEY, entry(1));
      for (const { ID } of (await etcd.direct.leaseClient.leaseLeases()).leases)
        await etcd.direct.leaseClient.leaseRevoke({ ID });

      expect(await app.store.put(KEY, entry(2))).toMatchObject({ visible: true });
      proxy.stop();
    });

    it('needs no other permission than to read and write that prefix', async () => {
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

  describe('without outcomes', () => {
    it('is settled by sending it again where its revision can be demanded once only', async () => {
      await using app = await start();
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await losingTheRequest(() => app.store.put(KEY, entry(2), { ifRevision: revision }));
      const found = await held();

      expect(found).toMatchObject({ version: 2, value: entry(2) });
      expect(result).toMatchObject({ status: 'fulfilled', value: { revision: found?.revision } });
      proxy.stop();
    });

    it('is a conflict where the first change since proves that it was another', async () => {
      await using app = await start();
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await losingTheRequest(() => app.store.put(KEY, entry(2), { ifRevision: revision }), other);

      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(RevisionConflictError) as unknown });
      expect(await held()).toMatchObject({ version: 2, value: entry(9, 'other') });
      proxy.stop();
    });

    it.each<[string, (app: StartedApp, revision: number) => Promise<unknown>]>([
      ['that was applied', (app, ifRevision) => app.store.put(KEY, entry(2), { ifRevision })],
      ['that demands nothing', (app) => app.store.put(KEY, entry(2))],
    ])('is unknown where nothing proves it: %s', async (_, write) => {
      await using app = await start();
      const { revision } = await app.store.put(KEY, entry(1));
      const result = await losingTheAnswer(() => write(app, revision));

      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(UnknownOutcomeError) as unknown });
      expect(await held()).toMatchObject({ version: 2 });
      proxy.stop();
    });

    it('is never sent again where it demands an absence, which may come back', async () => {
      await using app = await start();
      const result = await losingTheRequest(() => app.store.put(KEY, entry(1), { ifAbsent: true }));

      expect(result).toMatchObject({ status: 'rejected', reason: expect.any(UnknownOutcomeError) as unknown });
      expect(await held()).toBeUndefined();
      proxy.stop();
    });
  });
});
