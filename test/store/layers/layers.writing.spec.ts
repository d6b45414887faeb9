import { IsInt, IsOptional, IsString } from 'class-validator';
import {
  EtcdTriggerInspector,
  InvalidConfigError,
  InvalidOptionsError,
  RevisionConflictError,
  Secret,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { startApp } from '../../support/start-app.js';
import { Db, KEY, LAYERS, Pool, problemOf, start } from './layered-app.js';

const base = { host: 'base', pool: { max: 5, idleMs: 1 }, note: 'n' };
const PROD = { layer: '/prod/db' };

describe('a write of a layer', () => {
  it('puts the document of this layer, and readers see the whole', async () => {
    const etcd = new FakeCluster({ '/base/db': base });
    await using started = await start(etcd);
    const { store } = started;
    const result = await store.put(KEY, { pool: { max: 7 }, note: null }, PROD);

    expect(result).toEqual({ revision: etcd.revision, visible: true });
    expect(etcd.json('/prod/db')).toEqual({ pool: { max: 7 }, note: null });
    expect(store.get(KEY, Db)).toEqual({ host: 'base', port: 5432, pool: { max: 7, idleMs: 1 } });
    expect(await store.delete(KEY, PROD)).toMatchObject({ deleted: true, visible: true });
    expect(store.get(KEY, Db)).toMatchObject({ note: 'n', pool: { max: 5 } });
    expect(await store.delete(KEY, PROD)).toMatchObject({ deleted: false });
  });

  it('is refused if the whole would become invalid, and names the layer', async () => {
    const etcd = new FakeCluster({ '/base/db': base, '/prod/db': { note: 'p' } });
    await using started = await start(etcd);
    const { store } = started;
    const { revision } = etcd;

    expect(await problemOf(store.put(KEY, { pool: { max: 0 } }, PROD))).toBe(
      'InvalidConfigError: "/shop/db" with this change of "/prod/db" is not valid: pool.max of layer "/prod/db" [min]',
    );
    expect(await problemOf(store.put(KEY, { host: null }, PROD))).toContain('is not valid: host [isString]');
    expect(await problemOf(store.delete(KEY, { layer: '/base/db' }))).toContain(
      '"/shop/db" with this change of "/base/db"',
    );
    expect(await problemOf(store.put(KEY, { f: () => 1 }, PROD))).toBe(
      'InvalidConfigError: the value for layer "/prod/db" is not valid: f [serializable]',
    );
    expect(etcd.revision).toBe(revision);
  });

  it('compares with the revision of the layer', async () => {
    const etcd = new FakeCluster({ '/base/db': base });
    await using started = await start(etcd);
    const { store } = started;
    const { revision } = await store.put(KEY, { note: 'a' }, { ...PROD, ifAbsent: true });

    const error: unknown = await store
      .put(KEY, { note: 'b' }, { ...PROD, ifRevision: revision - 1 })
      .catch((reason: unknown) => reason);
    expect(String(error)).toBe(
      `RevisionConflictError: "/prod/db" was expected to be at revision ${revision - 1}, but is at revision ${revision}`,
    );
    expect(error instanceof RevisionConflictError && error.current()).toBeUndefined();
    expect(await problemOf(store.put(KEY, {}, { ...PROD, ifAbsent: true }))).toContain(
      '"/prod/db" was expected to be absent',
    );
    await store.put(KEY, { note: 'c' }, { ...PROD, ifRevision: revision });
    expect(await problemOf(store.delete(KEY, { ...PROD, ifRevision: revision }))).toContain('RevisionConflictError');
    expect(store.entry(KEY, Db).layers?.[1]).toEqual({ key: '/prod/db', revision: revision + 1 });
  });

  it('needs the layer, unless the key is one of them', async () => {
    const etcd = new FakeCluster({ '/base/db': base });
    await using apart = await start(etcd);
    await using included = await start(etcd, { layers: ['/base/db', KEY] });

    for (const write of [
      () => apart.store.put(KEY, {}),
      () => apart.store.delete(KEY),
      () => apart.store.update(KEY, Db, () => new Db()),
      () => apart.store.rollback(KEY, 2),
      () =>
        apart.store.transaction((tx) => {
          tx.put(KEY, {});
        }),
    ]) {
      expect(await problemOf(write())).toContain(
        'choose the layer to write by the option "layer"; the layers are "/base/db", "/prod/db", "/prod/pods/p1/db"',
      );
    }
    expect(await problemOf(apart.store.put(KEY, {}, { layer: '/prd/db' }))).toContain(
      '"/prd/db" is not one of its layers',
    );
    await included.store.put(KEY, { note: 'key' });
    expect(etcd.json(KEY)).toEqual({ note: 'key' });
    expect(await included.store.delete(KEY)).toMatchObject({ deleted: true });
  });

  it('refuses the option for a definition without layers, and the key of a layer', async () => {
    const etcd = new FakeCluster({ '/base/db': base });
    const configs = [
      { key: KEY, type: Db, layers: LAYERS },
      { prefix: '/plain/', type: Db },
      { prefix: '/base/', type: Db },
    ];
    await using started = await startApp({ hosts: '', client: etcd, configs });
    const { store } = started;

    expect(await problemOf(store.put('/plain/a', base, PROD))).toBe(
      'InvalidOptionsError: put "/plain/a": the option "layer" requires a definition with "layers", and prefix "/plain/" has none',
    );
    expect(await problemOf(store.put('/base/db', base))).toBe(
      'InvalidOptionsError: put "/base/db": no definition covers the key; it is a layer of key "/shop/db": use that key',
    );
    expect(() => store.get('/base/db', Db)).toThrow(InvalidOptionsError);
    expect(store.keys('/base/')).toEqual([]);
  });

  it('writes only the differences of an update into the layer', async () => {
    const etcd = new FakeCluster({ '/base/db': base, '/prod/db': { unknown: 1, pool: { max: 6 } } });
    await using started = await start(etcd);
    const { store } = started;
    await store.update(KEY, Db, (db) => Object.assign(new Db(), db, { port: 1, pool: { max: 9 } }), PROD);

    expect(etcd.json('/prod/db')).toEqual({ unknown: 1, port: 1, pool: { max: 9, idleMs: null } });
    expect(store.get(KEY, Db)).toEqual({ host: 'base', port: 1, pool: { max: 9 }, note: 'n' });
    expect(etcd.json('/base/db')).toEqual(base);
    await store.update(KEY, Db, (db) => Object.assign(new Db(), db, { note: undefined, pool: new Pool() }), PROD);
    expect(etcd.json('/prod/db')).toEqual({ unknown: 1, port: 1, pool: { max: 10, idleMs: null }, note: null });
  });

  it('refuses an update that a later layer or the override hides', async () => {
    const etcd = new FakeCluster({ '/base/db': base, '/prod/pods/p1/db': { pool: { max: 2 } } });
    await using started = await start(etcd, { override: { note: 'local' } });
    const { store } = started;
    const update = (change: object) => store.update(KEY, Db, (db) => Object.assign(new Db(), db, change), PROD);

    expect(await problemOf(update({ pool: { max: 3, idleMs: 1 } }))).toBe(
      'InvalidOptionsError: update "/shop/db": pool.max cannot be changed in layer "/prod/db", because a later layer or the override sets it',
    );
    expect(await problemOf(update({ note: 'x' }))).toContain('note cannot be changed in layer "/prod/db"');
    expect(await update({ port: 7 })).toMatchObject({ visible: true });
    expect(etcd.json('/prod/db')).toEqual({ port: 7 });
  });

  it('loses no update of many at the same time, and never makes the whole invalid', async () => {
    class Sum {
      @IsInt() left = 0;
      @IsInt() right = 0;
    }
    const etcd = new FakeCluster({ '/a': {} });
    const configs = [{ key: '/sum', type: Sum, layers: ['/a', '/b'] }];
    await using one = await startApp({ hosts: '', client: etcd, configs });
    await using two = await startApp({ hosts: '', client: etcd, configs });
    const increment = (sum: Sum | undefined, side: keyof Sum): Sum =>
      Object.assign(new Sum(), sum, { [side]: (sum?.[side] ?? 0) + 1 });
    await Promise.all(
      Array.from({ length: 10 }, () => [
        one.store.update('/sum', Sum, (sum) => increment(sum, 'left'), { layer: '/a' }),
        two.store.update('/sum', Sum, (sum) => increment(sum, 'right'), { layer: '/b' }),
      ]).flat(),
    );
    await settled(etcd);

    expect(one.store.get('/sum', Sum)).toEqual({ left: 10, right: 10 });
    expect([etcd.json('/a'), etcd.json('/b')]).toEqual([{ left: 10 }, { right: 10 }]);
  });

  it('checks again after another client has changed a layer in between', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' } });
    await using started = await start(etcd);
    const { store } = started;
    let calls = 0;
    const written = store.update(
      KEY,
      Db,
      (db) => {
        calls += 1;
        if (calls === 1) etcd.put('/base/db', { note: 'without a host' });
        return Object.assign(new Db(), db, { port: 1 });
      },
      PROD,
    );

    expect(await problemOf(written)).toContain('InvalidConfigError: "/shop/db" with this change of "/prod/db"');
    expect(calls).toBe(2);
    expect(etcd.get('/prod/db')).toBeUndefined();
  });

  it('writes several layers, and other keys, in one transaction', async () => {
    const etcd = new FakeCluster();
    const configs = [
      { key: KEY, type: Db, layers: LAYERS },
      { prefix: '/plain/', type: Db },
    ];
    await using started = await startApp({ hosts: '', client: etcd, configs });
    const { store } = started;
    const seen: unknown[] = [];
    store.onChange('', ({ key, value }) => seen.push([key, value]));

    expect(await problemOf(store.put(KEY, { port: 1 }, PROD))).toContain('host [isString]');
    const { revision } = await store.transaction((tx) => {
      tx.put(KEY, { host: 'h' }, { layer: '/base/db' });
      tx.put(KEY, { port: 1 }, PROD);
      tx.put('/plain/a', { host: 'plain' });
    });
    expect([revision, seen.length]).toEqual([etcd.revision, 2]);
    expect(store.get(KEY, Db)).toMatchObject({ host: 'h', port: 1 });
    expect(
      await problemOf(
        store.transaction((tx) => {
          tx.put('/plain/a', { host: 'other' });
          tx.delete(KEY, { layer: '/base/db' });
        }),
      ),
    ).toContain('"/shop/db" with this change of "/base/db" is not valid: host [isString]');
    expect(store.get('/plain/a', Db)).toMatchObject({ host: 'plain' });
    expect(
      await problemOf(
        store.transaction((tx) => {
          tx.put(KEY, {}, PROD);
          tx.delete(KEY, PROD);
        }),
      ),
    ).toContain('the transaction already writes the key');
    await store.transaction((tx) => {
      tx.delete(KEY, { layer: '/base/db' });
      tx.delete(KEY, PROD);
    });
    expect(store.entry(KEY, Db)).toMatchObject({ state: 'absent' });
  });

  it('puts the layer with a lease, which ends with the application', async () => {
    const etcd = new FakeCluster({ '/base/db': base });
    const started = await start(etcd);
    await started.store.put(KEY, { note: 'pod' }, { layer: '/prod/pods/p1/db', lease: { ttlSeconds: 30 } });
    await settled(started.app);
    etcd.advance(60_000);
    await settled(started.app);

    expect(started.store.get(KEY, Db)).toMatchObject({ note: 'pod' });
    await started.app.close();
    expect(etcd.get('/prod/pods/p1/db')).toBeUndefined();
  });

  it('reads the wholes of the past, and rolls one layer back', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h1' } });
    await using started = await start(etcd);
    const { store } = started;
    const first = await store.put(KEY, { note: 'a' }, PROD);
    const second = etcd.put('/base/db', { host: 'h2' });
    const third = etcd.put('/base/db', { host: 3 });
    const fourth = etcd.put('/base/db', { host: 'h4' });
    const history = await store.history(KEY, { type: Db, limit: 4 });

    expect(history.map(({ revision, value, violations }) => [revision, value?.host, value?.note, violations])).toEqual([
      [fourth.revision, 'h4', 'a', undefined],
      [
        third.revision,
        undefined,
        undefined,
        [{ path: 'host', constraints: ['isString'], origin: { source: 'layer', layer: '/base/db' } }],
      ],
      [second.revision, 'h2', 'a', undefined],
      [first.revision, 'h1', 'a', undefined],
    ]);
    await store.rollback(KEY, second.revision, { layer: '/base/db' });
    expect(store.get(KEY, Db)).toMatchObject({ host: 'h2', note: 'a' });
    expect(await problemOf(store.rollback(KEY, third.revision, { layer: '/base/db' }))).toContain(
      'host of layer "/base/db" [isString]',
    );
    etcd.compact(fourth.revision);
    expect(await store.history(KEY)).toHaveLength(2);
  });

  it('validates the other definitions with the layer, which must not become invalid', async () => {
    class Strict {
      @IsString() host!: string;
      @IsOptional() @IsInt() port?: number;
    }
    class Loose {
      @IsOptional() @IsString() host?: string;
    }
    const etcd = new FakeCluster({ '/base': { host: 'h' } });
    const configs = [
      { key: '/strict', type: Strict, layers: ['/base', '/strict'] },
      { key: '/loose', type: Loose, layers: ['/base', '/loose'] },
    ];
    await using started = await startApp({ hosts: '', client: etcd, configs });
    const { store } = started;

    expect(await problemOf(store.put('/loose', {}, { layer: '/base' }))).toBe(
      'InvalidConfigError: "/strict" with this change of "/base" is not valid: host [isString]',
    );
    await store.put('/loose', { host: 'h2' }, { layer: '/base' });
    expect([store.get('/strict', Strict)?.host, store.get('/loose', Loose)?.host]).toEqual(['h2', 'h2']);
    etcd.put('/strict', { port: 'x' });
    await settled(started.app);
    await store.put('/loose', { host: 'h3' }, { layer: '/base' });
    expect(store.entry('/strict', Strict)).toMatchObject({ state: 'invalid', value: { host: 'h2' } });
  });

  it('is not possible without a valid document in the layer for an update, and heals it by a put', async () => {
    const etcd = new FakeCluster({ '/base/db': base });
    await using started = await start(etcd);
    const { store } = started;
    etcd.put('/prod/db', 'no JSON');
    await settled(started.app);

    const error: unknown = await store
      .update(KEY, Db, (db) => Object.assign(new Db(), db), PROD)
      .catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(InvalidConfigError);
    expect(String(error)).toBe('InvalidConfigError: "/shop/db" is not valid: (document) of layer "/prod/db" [json]');
    await store.put(KEY, { note: 'healed' }, PROD);
    expect(store.entry(KEY, Db)).toMatchObject({ state: 'valid', value: { note: 'healed' } });
  });
});

it('a layered definition with secrets masks them in output, and never writes the mask', async () => {
  class Login {
    @IsString() user!: string;
    @Secret() @IsString() password!: string;
  }
  const etcd = new FakeCluster({ '/base': { user: 'u' }, '/prod': { password: 'hunter2' } });
  const configs = [{ key: '/login', type: Login, layers: ['/base', '/prod'], override: { user: 'local' } }];
  await using started = await startApp({ hosts: '', client: etcd, configs });
  const { store, app } = started;
  const prod = { layer: '/prod' };

  expect(app.get(EtcdTriggerInspector).effective()).toMatchObject([
    {
      key: '/login',
      value: { user: 'local', password: '***' },
      from: { user: { source: 'override' }, password: { source: 'layer', layer: '/prod' } },
    },
  ]);
  const copy = JSON.parse(JSON.stringify(store.get('/login', Login))) as object;
  expect(await problemOf(store.put('/login', copy, prod))).toContain('password of layer "/prod" [masked]');
  await store.update('/login', Login, (login) => Object.assign(new Login(), login, { password: 'new' }), prod);
  expect(etcd.json('/prod')).toEqual({ password: 'new' });
});

it('a codec that returns promises reads and writes layers', async () => {
  const rotated = (text: string): string => Array.from(text).reverse().join('');
  const codec = {
    decode: (bytes: Buffer) => Promise.resolve(JSON.parse(rotated(bytes.toString())) as object),
    encode: (document: object) => Promise.resolve(Buffer.from(rotated(JSON.stringify(document)))),
  };
  const etcd = new FakeCluster({ '/base/db': rotated('{"host":"h"}') });
  await using started = await start(etcd, { codec });
  const { store } = started;
  await store.put(KEY, { port: 1 }, PROD);
  await store.update(KEY, Db, (db) => Object.assign(new Db(), db, { note: 'n' }), PROD);

  expect(store.get(KEY, Db)).toMatchObject({ host: 'h', port: 1, note: 'n' });
  expect(etcd.text('/prod/db')).toBe(rotated('{"port":1,"note":"n"}'));
  etcd.put('/base/db', 'unreadable');
  await settled(started.app);
  expect(store.entry(KEY, Db)).toMatchObject({
    state: 'invalid',
    value: { host: 'h' },
    violations: [{ constraints: ['codec'], origin: { layer: '/base/db' } }],
  });
});

it('references to secrets in a layer are resolved in the whole, and stay references in etcd', async () => {
  class Login {
    @IsString() user!: string;
    @IsString() password!: string;
  }
  let isDown = true;
  const get = (reference: string): string => {
    if (isDown) throw new Error('the vault is away');
    return `secret of ${reference}`;
  };
  const etcd = new FakeCluster({ '/base': { user: 'u' }, '/prod': { password: 'vault:db' } });
  const resolve = { pattern: /^vault:/, get, refreshMs: 500 };
  const configs = [{ key: '/login', type: Login, layers: ['/base', '/prod'], onInvalid: 'skip' as const, resolve }];
  await using started = await startApp({ hosts: '', client: etcd, configs });
  const { store } = started;

  expect(store.get('/login', Login)).toBeUndefined();
  isDown = false;
  await eventually(() => store.get('/login', Login)?.password === 'secret of vault:db');
  expect(store.entry('/login', Login).from).toMatchObject({ password: { layer: '/prod' } });
  await store.update('/login', Login, (login) => Object.assign(new Login(), login, { user: 'v' }), { layer: '/prod' });
  expect(etcd.json('/prod')).toEqual({ password: 'vault:db', user: 'v' });
  await store.put('/login', Login, store.getOrThrow('/login', Login), { layer: '/prod' });
  expect(etcd.json('/prod')).toEqual({ password: 'vault:db', user: 'v' });
});
