import { IsInt } from 'class-validator';
import { InvalidOptionsError, RevisionConflictError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Instance {
  @IsInt() port!: number;
}
const configs = [{ prefix: '/instances/', type: Instance }];
const KEY = '/instances/1';

describe('a key that is put under a lease', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  /** Decimal id of the lease of a key, `'0'` without one. */
  const leaseOf = async (key: string): Promise<string | undefined> => (await etcd.direct.get(key).exec()).kvs[0]?.lease;
  /** Remaining seconds; -1 for a lease that does not exist. */
  const secondsLeft = async (lease: string | undefined): Promise<number> =>
    Number((await etcd.direct.leaseClient.leaseTimeToLive({ ID: lease ?? '0' })).TTL);
  const isRenewed = async (lease: string | undefined): Promise<void> => {
    const least = await eventually(async () => {
      const left = await secondsLeft(lease);
      return left < 4 && left;
    });
    expect(least).toBeGreaterThan(0);
    await eventually(async () => (await secondsLeft(lease)) > Number(least));
  };

  it('exists as long as the module is open, and is deleted when it closes', async () => {
    const app = await startApp({ hosts: etcd.hosts, configs });
    await app.store.put(KEY, { port: 1 }, { lease: { ttlSeconds: 5 } });
    await app.store.put('/instances/2', { port: 2 }, { lease: { ttlSeconds: 600 } });
    const lease = await leaseOf(KEY);
    await isRenewed(lease);
    expect(await secondsLeft(await leaseOf('/instances/2'))).toBeGreaterThan(500);
    await app[Symbol.asyncDispose]();

    expect(await etcd.direct.getAll().prefix('/instances/').keys()).toEqual([]);
    expect(await secondsLeft(lease)).toBe(-1);
  });

  it('is renewed through another member if one is down, and after an interruption', async () => {
    const proxies = await Promise.all([TcpProxy.start(etcd.first.clientPort), TcpProxy.start(etcd.first.clientPort)]);
    await using app = await startApp({ hosts: proxies.map(({ endpoint }) => endpoint), configs });
    await app.store.put(KEY, { port: 1 }, { lease: { ttlSeconds: 5 } });
    const lease = await leaseOf(KEY);
    for (const proxy of proxies) {
      proxy.stop();
      await isRenewed(lease);
      await proxy.accept();
    }

    expect(await leaseOf(KEY)).toBe(lease);
    for (const proxy of proxies) proxy.stop();
  });

  it('does not expire once it is written without a lease, and the old lease is revoked', async () => {
    await using app = await startApp({ hosts: etcd.hosts, configs });
    for (const write of [
      () => app.store.put(KEY, { port: 2 }),
      () => app.store.update(KEY, Instance, () => ({ port: 3 })),
      () =>
        app.store.transaction((tx) => {
          tx.put(KEY, { port: 4 });
        }),
    ]) {
      await app.store.put(KEY, { port: 1 }, { lease: { ttlSeconds: 60 } });
      const lease = await leaseOf(KEY);
      await write();
      await eventually(async () => (await secondsLeft(lease)) === -1);
      expect(await leaseOf(KEY)).toBe('0');
    }
    await app.store.put(KEY, { port: 1 }, { lease: { ttlSeconds: 60 } });
    const lease = await leaseOf(KEY);
    await app.store.delete(KEY);
    await eventually(async () => (await secondsLeft(lease)) === -1);
  });

  it('is not renewed once another client writes or deletes it', async () => {
    await using app = await startApp({ hosts: etcd.hosts, configs });
    await app.store.put(KEY, { port: 1 }, { lease: { ttlSeconds: 2 } });
    await app.store.put('/instances/2', { port: 2 }, { lease: { ttlSeconds: 2 } });
    const leases = [await leaseOf(KEY), await leaseOf('/instances/2')];
    await put(KEY, '{"port":9}');
    await etcd.direct.delete().key('/instances/2');
    for (const lease of leases) await eventually(async () => (await secondsLeft(lease)) === -1);

    expect(await etcd.direct.getAll().prefix('/instances/').strings()).toEqual({ [KEY]: '{"port":9}' });
  });

  it('is put again if its lease expired during an outage, which is reported once', async () => {
    const log = new CollectingLogger();
    const proxy = await TcpProxy.start(etcd.first.clientPort);
    await using app = await startApp({ hosts: proxy.endpoint, configs, logger: log });
    await app.store.put(KEY, { port: 4711 }, { lease: { ttlSeconds: 2 } });
    const lease = await leaseOf(KEY);
    proxy.refuse();
    proxy.cut();
    await eventually(async () => (await leaseOf(KEY)) === undefined);
    await proxy.accept();
    const again = await eventually(async () => (await leaseOf(KEY)) ?? false);

    expect(again).not.toBe(lease);
    expect(await etcd.direct.get(KEY).string()).toBe('{"port":4711}');
    await eventually(() => log.lines.some(({ text }) => text.includes('was put again with a new lease')));
    expect(log.lines.filter(({ text }) => text.includes('lease')).map(({ level }) => level)).toEqual(['warn', 'log']);
    expect(log.text).not.toContain('4711');
    await eventually(() => app.store.get(KEY, Instance)?.port === 4711);
    proxy.stop();
  });

  it('is not put again if its lease expired and another client wrote it in the meantime', async () => {
    const log = new CollectingLogger();
    await using app = await startApp({ hosts: etcd.hosts, configs, logger: log });
    // The renewal interval is long enough for both to happen before the next renewal.
    await app.store.put(KEY, { port: 1 }, { lease: { ttlSeconds: 6 } });
    const lease = (await leaseOf(KEY)) ?? '';
    await etcd.direct.leaseClient.leaseRevoke({ ID: lease });
    await put(KEY, '{"port":9}');
    await eventually(() => log.text.includes(`"${KEY}" was written by another client`));

    expect(await etcd.direct.get(KEY).string()).toBe('{"port":9}');
    await eventually(async () => (await etcd.direct.leaseClient.leaseLeases()).leases.length === 0);
  });

  it('leaves no lease behind if the write is rejected', async () => {
    await using app = await startApp({ hosts: etcd.hosts, configs });
    await app.store.put(KEY, { port: 1 });
    const refused = app.store.put(KEY, { port: 2 }, { ifAbsent: true, lease: { ttlSeconds: 60 } });

    await expect(refused).rejects.toThrow(RevisionConflictError);
    await eventually(async () => (await etcd.direct.leaseClient.leaseLeases()).leases.length === 0);
  });

  it.each([0, -1, 1.5, Number.NaN, 9_000_000_001])('is rejected with a time to live of %s', async (ttlSeconds) => {
    await using app = await startApp({ hosts: etcd.hosts, configs });
    const refused = app.store.put(KEY, { port: 1 }, { lease: { ttlSeconds } });

    await expect(refused).rejects.toThrow(InvalidOptionsError);
    await expect(refused).rejects.toThrow(/"\/instances\/1": lease.ttlSeconds must be an integer from 1 to/);
  });
});
