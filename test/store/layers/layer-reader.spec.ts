import { ConnectionError, type ConfigDefinition } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it, vi } from 'vitest';
import { FakeKeyValue } from '../../../lib/testing/fake/fake-key-value.js';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';
import { startApp } from '../../support/start-app.js';
import { Db, KEY, LAYERS, problemOf, start } from './layered-app.js';

const down = new ConnectionError('the members are away');

describe('the reads of layers', () => {
  it('are few while many writes arrive, and while a future revision is awaited', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' } });
    await using started = await start(etcd);
    const reads = vi.spyOn(FakeKeyValue.prototype, 'commit');
    const { store } = started;
    for (let port = 1; port <= 200; port += 1) etcd.put('/prod/db', { port });
    await settled(started.app);

    expect(store.get(KEY, Db)?.port).toBe(200);
    expect(reads.mock.calls.length).toBeLessThan(10);
    reads.mockClear();
    expect(await problemOf(store.waitForRevision(etcd.revision + 1, { timeoutMs: 300 }))).toContain('not visible');
    expect(reads.mock.calls.length).toBeLessThan(10);
  });

  it('are not needed for a key that is no layer', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' } });
    await using started = await start(etcd);
    const reads = vi.spyOn(FakeKeyValue.prototype, 'commit');
    etcd.put('/base/db2', 'x');
    etcd.put(KEY, 'x');
    await settled(started.app);

    expect(reads).not.toHaveBeenCalled();
    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h' });
  });

  it('that fail at startup are retried, and are a boot problem after the limit', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' } });
    const reads = vi.spyOn(FakeKeyValue.prototype, 'commit').mockRejectedValueOnce(down);
    await using retried = await start(etcd, {}, { boot: { policy: 'wait', timeoutMs: 5_000 } });
    expect(retried.store.get(KEY, Db)).toMatchObject({ host: 'h' });
    reads.mockRejectedValue(down);
    expect(await problemOf(start(etcd))).toContain('key "/shop/db": the members are away');
    const logger = new CollectingLogger();
    await using degraded = await start(etcd, {}, { boot: { policy: 'degraded', timeoutMs: 200 }, logger });

    expect([degraded.store.status, degraded.store.get(KEY, Db)]).toEqual(['degraded', undefined]);
    reads.mockRestore();
    await eventually(() => degraded.store.status === 'ready');
    expect(degraded.store.get(KEY, Db)).toMatchObject({ host: 'h' });
    expect(logger.text.match(/its layers cannot be read/g)).toHaveLength(1);
    expect(logger.text).toContain('key "/shop/db": its layers can be read again');
  });

  it('that fail later make the store stale, keep the value, and catch up', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h1' } });
    await using started = await start(etcd);
    const reads = vi.spyOn(FakeKeyValue.prototype, 'commit').mockRejectedValue(down);
    etcd.put('/base/db', { host: 'h2' });
    await eventually(() => started.store.status === 'stale');

    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h1' });
    reads.mockRestore();
    await settled(started.app);
    expect([started.store.status, started.store.get(KEY, Db)?.host]).toEqual(['ready', 'h2']);
  });

  it('of a write that get no answer are a connection error: nothing was written', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' } });
    await using started = await start(etcd);
    etcd.freeze();
    const writing = problemOf(started.store.put(KEY, {}, { layer: '/prod/db' }));
    etcd.disconnect();

    expect(await writing).toMatch(/^ConnectionError: put "\/shop\/db": read the layers/);
    etcd.reconnect();
    expect(etcd.get('/prod/db')).toBeUndefined();
  });

  it('end with the application, also in the middle of a retry', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h1' } });
    const started = await start(etcd);
    const reads = vi.spyOn(FakeKeyValue.prototype, 'commit').mockRejectedValue(down);
    etcd.put('/base/db', { host: 'h2' });
    await eventually(() => reads.mock.calls.length > 0);
    await started.app.close();
    const { length } = reads.mock.calls;
    etcd.put('/base/db', { host: 'h3' });

    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h1' });
    expect(reads.mock.calls).toHaveLength(length);
  });
});

it('the key of a definition with layers may be a layer of another one', async () => {
  const etcd = new FakeCluster({ '/base/db': { host: 'h' }, [KEY]: { port: 1 } });
  const configs = [
    { key: KEY, type: Db, layers: ['/base/db', KEY] },
    { key: '/other', type: Db, layers: [KEY, ...LAYERS] },
  ] as ConfigDefinition[];
  await using started = await startApp({ hosts: '', client: etcd, configs });

  expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h', port: 1 });
  expect(started.store.get('/other', Db)).toMatchObject({ host: 'h', port: 1 });
});
