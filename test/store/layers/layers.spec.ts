import type { ConfigChange } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';
import { Db, KEY, start } from './layered-app.js';

describe('a definition with layers', () => {
  it('merges the documents from left to right: objects deeply, lists as a whole, and null removes', async () => {
    const etcd = new FakeCluster({
      '/base/db': { host: 'base', note: 'n', pool: { max: 5, idleMs: 1 }, replicas: ['a', 'b'] },
      '/prod/db': { host: 'prod', pool: { idleMs: 2 }, replicas: ['c'] },
      '/prod/pods/p1/db': { note: null },
    });
    await using started = await start(etcd);

    expect(started.store.get(KEY, Db)).toEqual({
      host: 'prod',
      port: 5432,
      pool: { max: 5, idleMs: 2 },
      replicas: ['c'],
    });
  });

  it('knows the origin of each property, and the revision of each layer', async () => {
    const etcd = new FakeCluster();
    etcd.put('/base/db', { host: 'base', pool: { max: 5 }, replicas: [] });
    etcd.put('/prod/db', { pool: { idleMs: 2 } });
    await using started = await start(etcd);
    const { from, layers, revision, state } = started.store.entry(KEY, Db);

    expect({ from, layers, revision, state }).toEqual({
      from: {
        host: { source: 'layer', layer: '/base/db' },
        'pool.max': { source: 'layer', layer: '/base/db' },
        'pool.idleMs': { source: 'layer', layer: '/prod/db' },
        replicas: { source: 'layer', layer: '/base/db' },
        port: { source: 'type' },
      },
      layers: [
        { key: '/base/db', revision: 2 },
        { key: '/prod/db', revision: 3 },
        { key: '/prod/pods/p1/db', revision: 0 },
      ],
      revision: 3,
      state: 'valid',
    });
    expect(Object.isFrozen(from) && Object.isFrozen(layers)).toBe(true);
  });

  it('shows a transaction over several layers in one step, and a deletion of a layer', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h1' }, '/prod/db': { note: 'n1' } });
    await using started = await start(etcd);
    const seen: string[] = [];
    started.store.onChange<Db>('/shop/', ({ value, changedPaths, revision, origin }: ConfigChange<Db>) => {
      seen.push(`${origin} ${revision} ${value?.host ?? ''} ${value?.note ?? ''} ${changedPaths.join()}`);
    });
    etcd.transaction((tx) => {
      tx.put('/base/db', { host: 'h2' });
      tx.put('/prod/db', { note: 'n2' });
    });
    await settled(started.app);
    etcd.delete('/prod/db');
    await settled(started.app);

    expect(seen).toEqual(['initial 2 h1 n1 ', 'live 3 h2 n2 host,note', 'live 4 h2  note']);
  });

  it('keeps the value and its identity, but not its origins, when the layers change and their merge does not', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' }, '/prod/db': { port: 1 } });
    await using started = await start(etcd);
    const { store } = started;
    const before = store.get(KEY, Db);
    const changes: unknown[] = [];
    store.onChange(KEY, (change) => changes.push(change));
    etcd.transaction((tx) => {
      tx.put('/base/db', { host: 'h', port: 1 });
      tx.put('/prod/db', {});
    });
    await settled(started.app);

    expect(store.get(KEY, Db)).toBe(before);
    expect(changes).toHaveLength(1);
    expect(store.entry(KEY, Db)).toMatchObject({ revision: 3, from: { port: { layer: '/base/db' } } });
  });

  it('does not read the key itself, unless it is one of the layers', async () => {
    const etcd = new FakeCluster({ [KEY]: { host: 'key' }, '/base/db': { host: 'base', note: 'n' } });
    const logger = new CollectingLogger();
    await using apart = await start(etcd, {}, { logger });
    await using included = await start(etcd, { layers: ['/base/db', KEY] });

    expect(apart.store.get(KEY, Db)).toMatchObject({ host: 'base' });
    await eventually(() => logger.text.includes('key "/shop/db": the document at this key is ignored'));
    expect(included.store.get(KEY, Db)).toMatchObject({ host: 'key', note: 'n' });
  });

  it.each([
    ['not JSON', '{', { path: '', constraints: ['json'], origin: { source: 'layer', layer: '/prod/db' } }],
    ['no object', '[1]', { path: '', constraints: ['object'], origin: { source: 'layer', layer: '/prod/db' } }],
    [
      'a forbidden name',
      '{"pool":{"__proto__":{"max":7}}}',
      { path: 'pool.__proto__', constraints: ['forbiddenKey'], origin: { source: 'layer', layer: '/prod/db' } },
    ],
    [
      'not valid in the whole',
      '{"pool":{"max":0}}',
      { path: 'pool.max', constraints: ['min'], origin: { source: 'layer', layer: '/prod/db' } },
    ],
    ['removing what is required', '{"host":null}', { path: 'host', constraints: ['isString'] }],
  ])('keeps the last good whole while a layer is %s, and names the layer', async (_, document, violation) => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h', pool: { max: 3 } } });
    await using started = await start(etcd);
    const { store } = started;
    const good = store.get(KEY, Db);
    etcd.put('/prod/db', document);
    await settled(started.app);

    expect(store.get(KEY, Db)).toBe(good);
    expect(store.entry(KEY, Db)).toMatchObject({ state: 'invalid', violations: [violation], rejectedRevision: 3 });
    expect(store.entry(KEY, Db).from).toMatchObject({ 'pool.max': { layer: '/base/db' } });
    etcd.put('/prod/db', { note: 'healed' });
    await settled(started.app);
    expect(store.entry(KEY, Db)).toMatchObject({ state: 'valid', value: { note: 'healed' } });
  });

  it('is absent while no layer exists, and keeps or removes its value after the last one was deleted', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' }, '/prod/db': { note: 'n' } });
    await using removing = await start(etcd);
    await using keeping = await start(etcd, { required: true });
    etcd.transaction((tx) => {
      tx.delete('/base/db');
      tx.delete('/prod/db');
    });
    await settled(etcd);

    expect(removing.store.entry(KEY, Db)).toMatchObject({ state: 'absent', value: undefined });
    expect(keeping.store.entry(KEY, Db)).toMatchObject({ state: 'kept', value: { host: 'h' }, revision: 2 });
    etcd.put('/prod/db', { host: 'again' });
    await settled(etcd);
    expect(keeping.store.entry(KEY, Db)).toMatchObject({ state: 'valid', value: { host: 'again' } });
  });

  it('merges the documents over the default, which is the value while no layer exists', async () => {
    const etcd = new FakeCluster();
    const fallback = Object.assign(new Db(), { host: 'default', note: 'd' });
    await using started = await start(etcd, { default: fallback });
    const { store } = started;

    expect(store.entry(KEY, Db)).toMatchObject({ state: 'absent', source: 'default', value: { host: 'default' } });
    etcd.put('/prod/db', { note: 'prod' });
    await settled(started.app);
    expect(store.entry(KEY, Db)).toMatchObject({
      state: 'valid',
      source: 'etcd',
      value: { host: 'default', note: 'prod' },
      from: { host: { source: 'default' }, note: { layer: '/prod/db' } },
    });
    etcd.delete('/prod/db');
    await settled(started.app);
    expect(store.entry(KEY, Db)).toMatchObject({ state: 'absent', value: { note: 'd' } });
  });

  it('serves references, projections, views and prefixes under its key', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h1' } });
    await using started = await start(etcd);
    const { store } = started;
    const host = store.select(KEY, Db, (db) => db?.host);
    const hosts: unknown[] = [];
    host.onChange((value) => hosts.push(value));
    etcd.put('/prod/db', { host: 'h2' });
    await settled(started.app);

    expect(hosts).toEqual(['h1', 'h2']);
    expect(store.keys()).toEqual([KEY]);
    expect([...store.entries('/shop/', Db).keys()]).toEqual([KEY]);
    expect(store.snapshot('/shop/').get(KEY, Db)).toBe(store.get(KEY, Db));
  });

  it('waits for a revision, and reads freshly, without a change of its layers', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h1' } });
    await using started = await start(etcd);
    const { store } = started;
    const { revision: other } = etcd.put('/elsewhere', 'x');
    await store.waitForRevision(other);
    etcd.put('/base/db', { host: 'h2' });

    expect(await store.fresh(KEY, Db)).toMatchObject({ host: 'h2' });
    await expect(store.waitForRevision(etcd.revision + 1, { timeoutMs: 50 })).rejects.toThrow(
      'not visible after 50 ms',
    );
  });

  it('has the keyPrefix before each layer', async () => {
    const etcd = new FakeCluster({ '/app/base/db': { host: 'h' }, '/base/db': { host: 'other' } });
    await using started = await start(etcd, {}, { keyPrefix: '/app' });
    await started.store.put(KEY, { note: 'n' }, { layer: '/prod/db' });

    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h', note: 'n' });
    expect(etcd.json('/app/prod/db')).toEqual({ note: 'n' });
  });

  it('follows a restored store, whose revisions are lower', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h1' } });
    await using started = await start(etcd);
    const backup = etcd.snapshot();
    etcd.put('/base/db', { host: 'h2' });
    etcd.put('/prod/db', { note: 'n' });
    await settled(started.app);
    etcd.restore(backup);
    await settled(started.app);

    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h1' });
    etcd.put('/prod/db', { note: 'after' });
    await settled(started.app);
    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h1', note: 'after' });
  });

  it('keeps its value while etcd does not answer, and catches up', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h1' }, '/prod/db': {} });
    await using started = await start(etcd);
    etcd.disconnect();
    await settled(started.app);
    etcd.transaction((tx) => {
      tx.put('/base/db', { host: 'h2' });
      tx.put('/prod/db', { note: 'n2' });
    });

    expect([started.store.status, started.store.get(KEY, Db)?.host]).toEqual(['stale', 'h1']);
    etcd.reconnect();
    await settled(started.app);
    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h2', note: 'n2' });
    expect(started.store.status).toBe('ready');
  });
});
