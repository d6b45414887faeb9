import { randomBytes } from 'node:crypto';
import { IsInt, IsString } from 'class-validator';
import { type ConfigCodec, type ConfigDefinition, InvalidConfigError } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { Deferred } from '../../lib/timing/deferred.js';
import { startApp } from '../support/start-app.js';
import { TemporaryFolder } from '../support/temporary-folder.js';

class Pool {
  @IsString() host!: string;
  @IsInt() size!: number;
}

/** Keys by their number, as a key-management service keeps them. Every encryption of a document differs. */
class KeyService {
  isAvailable = true;
  /** Decryptions wait for these promises, by the host that they contain. */
  readonly delays = new Map<string, Promise<void>>();

  readonly codec: ConfigCodec = {
    decode: async (bytes) => {
      await Promise.resolve();
      if (!this.isAvailable) throw new Error(`cannot decrypt ${bytes.toString()}`);
      const document = JSON.parse(Buffer.from(String(bytes).split('.')[1] ?? '', 'base64').toString()) as Pool;
      await this.delays.get(document.host);
      return document;
    },
    encode: async (document) => {
      await Promise.resolve();
      return sealed(document);
    },
  };
}

const sealed = (document: object): Buffer =>
  Buffer.from(`${randomBytes(8).toString('hex')}.${Buffer.from(JSON.stringify(document)).toString('base64')}`);

describe('a definition with an asynchronous codec', () => {
  const start = (cluster: FakeCluster, service: KeyService, options: object = {}) => {
    const shared = { type: Pool, codec: service.codec };
    const configs: ConfigDefinition[] = [
      { key: '/pool', ...shared, required: true },
      { prefix: '/pools/', ...shared },
    ];
    return startApp({ hosts: '', client: cluster, configs, ...options });
  };

  it('is complete at startup, follows changes, and writes what it reads', async () => {
    const cluster = new FakeCluster({
      '/pool': sealed({ host: 'a', size: 1 }),
      '/pools/x': sealed({ host: 'x', size: 1 }),
    });
    await using app = await start(cluster, new KeyService());
    const { store } = app;
    const changed: (readonly string[])[] = [];
    store.onChange('/pool', ({ changedPaths }) => changed.push(changedPaths));

    expect([store.get('/pool', Pool), store.get('/pools/x', Pool)]).toEqual([
      { host: 'a', size: 1 },
      { host: 'x', size: 1 },
    ]);
    await store.put('/pool', Pool, { host: 'b', size: 1 });
    await store.update('/pool', Pool, (current) => ({ host: current?.host ?? '', size: 2 }));
    await store.transaction((tx) => {
      tx.put('/pool', { host: 'b', size: 3 });
      tx.put('/pools/x', { host: 'x', size: 3 });
    });
    expect([store.get('/pool', Pool), store.get('/pools/x', Pool)]).toEqual([
      { host: 'b', size: 3 },
      { host: 'x', size: 3 },
    ]);
    const history = await store.history('/pool', { type: Pool });
    expect(history.map(({ value }) => value?.size)).toEqual([3, 2, 1, 1]);
    await store.rollback('/pool', history[3]?.revision ?? 0);
    expect(store.get('/pool', Pool)?.host).toBe('a');
    expect(changed.slice(2)).toEqual([['host'], ['size'], ['size'], ['size'], ['host', 'size']]);
  });

  it('shows changes in the order of their revisions, whichever is decoded first', async () => {
    const service = new KeyService();
    const cluster = new FakeCluster({ '/pool': sealed({ host: 'a', size: 1 }) });
    await using app = await start(cluster, service);
    const slow = new Deferred();
    service.delays.set('slow', slow.promise);
    const hosts: unknown[] = [];
    app.store.onChange('/pool', ({ value }) => hosts.push((value as Pool).host));

    cluster.put('/pool', sealed({ host: 'slow', size: 1 }));
    const { revision: last } = cluster.put('/pool', sealed({ host: 'quick', size: 1 }));
    await expect(app.store.waitForRevision(last, { timeoutMs: 50 })).rejects.toThrow('not visible');
    expect(app.store.get('/pool', Pool)?.host).toBe('a');
    slow.resolve();
    await app.store.waitForRevision(last);
    expect(hosts).toEqual(['a', 'slow', 'quick']);
  });

  it('keeps the object of a document that is encrypted anew', async () => {
    const cluster = new FakeCluster({ '/pool': sealed({ host: 'a', size: 1 }) });
    await using app = await start(cluster, new KeyService());
    const before = app.store.get('/pool', Pool);

    await app.store.waitForRevision(cluster.put('/pool', sealed({ host: 'a', size: 1 })).revision);
    expect(app.store.get('/pool', Pool)).toBe(before);
  });

  it('refuses a value, and a write, while the service fails, and heals with the next value', async () => {
    const service = new KeyService();
    const logger = new CollectingLogger();
    const cluster = new FakeCluster({ '/pool': sealed({ host: 'a', size: 1 }) });
    await using app = await start(cluster, service, { logger });

    service.isAvailable = false;
    await app.store.waitForRevision(cluster.put('/pool', sealed({ host: 'sesame', size: 2 })).revision);
    expect(app.store.entry('/pool', Pool)).toMatchObject({
      state: 'invalid',
      value: { host: 'a' },
      violations: [{ path: '', constraints: ['codec'] }],
    });
    await expect(app.store.put('/pool', Pool, { host: 'b', size: 1 })).rejects.toThrow(InvalidConfigError);
    service.isAvailable = true;
    await app.store.put('/pool', Pool, { host: 'b', size: 1 });
    expect(app.store.entry('/pool', Pool)).toMatchObject({ state: 'valid', value: { host: 'b' } });
    expect(logger.text).not.toContain('cannot decrypt');
    expect(logger.text).toContain('log "/pool" is valid again');
  });

  it('names the key of a value that cannot be decoded at startup', async () => {
    const service = new KeyService();
    service.isAvailable = false;
    const cluster = new FakeCluster({ '/pool': sealed({ host: 'a', size: 1 }) });

    await expect(start(cluster, service)).rejects.toThrow(/"\/pool".*codec/s);
  });

  it('restores an offline snapshot, which contains the encrypted bytes', async () => {
    await using folder = await TemporaryFolder.create();
    const snapshot = { directory: folder.path };
    const cluster = new FakeCluster({ '/pool': sealed({ host: 'sesame', size: 1 }) });
    await (await start(cluster, new KeyService(), { snapshot })).app.close();
    cluster.disconnect();

    await using offline = await start(cluster, new KeyService(), { snapshot });
    expect(offline.store.entry('/pool', Pool)).toMatchObject({ source: 'snapshot', value: { host: 'sesame' } });
  });
});
