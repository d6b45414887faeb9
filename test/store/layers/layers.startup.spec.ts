import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { IsInt, IsOptional, IsString } from 'class-validator';
import { type ConfigDefinition, EtcdTriggerInspector, fromEnv, loadConfig } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { decodeSnapshot } from '../../../lib/store/snapshot/snapshot-format.js';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { startApp } from '../../support/start-app.js';
import { TemporaryFolder } from '../../support/temporary-folder.js';
import { Db, KEY, LAYERS, problemOf, start } from './layered-app.js';

const lines = (logger: CollectingLogger, level: string): string[] =>
  logger.lines.filter((line) => line.level === level).map(({ text }) => text.replace(/ \[service=.*/s, ''));

describe('the startup of a definition with layers', () => {
  it('names the layer that is invalid, missing or denied', async () => {
    const bad = new FakeCluster({ '/base/db': { host: 'h' }, '/prod/db': { port: 'x' } });
    expect(await problemOf(start(bad))).toContain('"/shop/db" is not valid: port of layer "/prod/db" [isInt]');
    expect(await problemOf(start(new FakeCluster(), { required: true }))).toContain(
      'key "/shop/db" is required and missing: write a value of the class Db in its layers "/base/db", "/prod/db", "/prod/pods/p1/db"',
    );
    const denied = new FakeCluster({ '/base/db': { host: 'h' } });
    denied.deny('/prod/db');
    expect(await problemOf(start(denied))).toMatch(/key "\/shop\/db": .*"\/prod\/db"/);
    const silent = new FakeCluster({ '/base/db': { host: 'h' } });
    silent.freeze();
    expect(await problemOf(start(silent, {}, { boot: { policy: 'wait', timeoutMs: 50 } }))).toContain(
      'list key "/shop/db": layer "/base/db": etcd did not answer within 50 ms',
    );
  });

  it('skips an invalid whole with "onInvalid: skip", and heals', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' }, '/prod/db': { port: 'x' } });
    const logger = new CollectingLogger();
    await using started = await start(etcd, { onInvalid: 'skip' }, { logger });

    expect(started.store.entry(KEY, Db)).toMatchObject({ state: 'invalid', value: undefined });
    expect(lines(logger, 'error')).toEqual([
      '"/shop/db" at revision 2 is not valid: port of layer "/prod/db" [isInt]; skipped at startup: there is no good value',
    ]);
    etcd.put('/prod/db', { port: 1 });
    await settled(started.app);
    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h', port: 1 });
  });

  it('waits with the policy "wait" until the layers are valid together', async () => {
    const etcd = new FakeCluster({ '/prod/db': { port: 1 } });
    const starting = start(etcd, { required: true }, { boot: { policy: 'wait', timeoutMs: 5_000 } });
    etcd.put('/base/db', { host: 'late' });
    await using started = await starting;

    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'late', port: 1 });
  });

  it('refuses what cannot be merged, in one sentence', async () => {
    const refused = (given: object): Promise<string> =>
      problemOf(
        startApp({ hosts: '', client: new FakeCluster(), configs: [{ type: Db, ...given } as ConfigDefinition] }),
      );
    const many = Array.from({ length: 17 }, (_, index) => `/l/${index}`);

    expect(await refused({ prefix: '/flags/', layers: ['/base/flags/'] })).toBe(
      'InvalidOptionsError: the definition of prefix "/flags/" has "layers", which requires a "key": define each key under the prefix with its own layers',
    );
    expect(await refused({ prefix: '/flags/', override: {} })).toContain('has "override", which requires a "key"');
    expect(await refused({ key: KEY, layers: [] })).toContain('must be a list of keys that is not empty');
    expect(await refused({ key: KEY, layers: '/base/db' })).toContain('must be a list of keys');
    expect(await refused({ key: KEY, layers: ['/a', ''] })).toContain('must be a list of keys');
    expect(await refused({ key: KEY, layers: ['/a', '/b', '/a'] })).toContain(
      'the "layers" of key "/shop/db" have "/a" twice',
    );
    expect(await refused({ key: KEY, layers: many })).toContain('are 17 keys; the limit is 16');
    expect(await refused({ key: KEY, override: 7 })).toContain('must be fromEnv(');
    expect(await refused({ key: KEY, override: [] })).toContain('must be fromEnv(');
    expect(await refused({ key: KEY, override: () => 7 })).toContain(
      'the "override" of key "/shop/db" must be an object',
    );
    expect(await refused({ key: KEY, override: () => Promise.reject(new Error('x')) })).toContain('returned a promise');
    expect(
      await refused({
        key: KEY,
        override: () => {
          throw new RangeError('a secret');
        },
      }),
    ).toMatch(/^InvalidOptionsError: the "override" of key "\/shop\/db" failed: RangeError(?!.*secret)/);
    expect(await refused({ key: KEY, override: { pool: JSON.parse('{"__proto__":1}') as object } })).toBe(
      'InvalidOptionsError: the "override" of key "/shop/db" is not valid: pool.__proto__ [forbiddenKey]',
    );
    expect(await refused({ key: KEY, layer: '/a' })).toContain('did you mean "layers"?');
    class Text {
      @IsString() value!: string;
    }
    expect(await refused({ key: KEY, type: Text, layers: ['/a'], codec: 'text' })).toContain(
      'whose documents cannot be merged',
    );
  });

  it('refuses a layer that has a definition of its own, and shares layers between definitions', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' } });
    const startWith = (configs: object[]) =>
      startApp({ hosts: '', client: etcd, configs: configs as ConfigDefinition[] });
    const layered = { key: KEY, type: Db, layers: LAYERS };

    expect(await problemOf(startWith([layered, { key: '/base/db', type: Db }]))).toBe(
      'InvalidOptionsError: "/base/db" is a layer of key "/shop/db" and has a definition of its own, which would validate a part as a whole: give that definition another key, with "layers: ["/base/db"]"',
    );
    expect(await problemOf(startWith([layered, { ...layered, layers: ['/base/db'] }]))).toContain(
      'two different definitions',
    );
    await using started = await startWith([layered, { ...layered }, { key: '/base', type: Db, layers: ['/base/db'] }]);
    expect(started.store.get('/base', Db)).toMatchObject({ host: 'h' });
    expect(started.store.get(KEY, Db)).toMatchObject({ host: 'h' });
  });

  it('applies the limits to each layer and to the whole', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' } });
    await using started = await start(etcd, { limits: { documentBytes: 60 } });
    etcd.transaction((tx) => {
      tx.put('/base/db', { host: 'h'.repeat(40) });
      tx.put('/prod/db', { note: 'n'.repeat(40) });
    });
    await settled(started.app);

    expect(started.store.entry(KEY, Db)).toMatchObject({
      state: 'invalid',
      value: { host: 'h' },
      violations: [{ path: '', constraints: ['limits.documentBytes'] }],
    });
    etcd.put('/prod/db', { note: 'n'.repeat(60) });
    await settled(started.app);
    expect(started.store.entry(KEY, Db).violations).toEqual([
      { path: '', constraints: ['limits.documentBytes'], origin: { source: 'layer', layer: '/prod/db' } },
    ]);
  });

  it('merges the documents of a schema, and of other formats', async () => {
    const schema = z.object({ host: z.string(), port: z.number().default(1), since: z.coerce.date().optional() });
    const etcd = new FakeCluster({ '/base/db': 'host: h\n', '/prod/db': 'since: 2026-01-01\n' });
    const configs = [{ key: KEY, schema, layers: LAYERS, codec: 'yaml' as const }];
    await using started = await startApp({ hosts: '', client: etcd, configs });
    const { store } = started;

    expect(store.get(KEY, schema)).toEqual({ host: 'h', port: 1, since: new Date('2026-01-01') });
    expect(store.entry(KEY, schema).from).toEqual({
      host: { source: 'layer', layer: '/base/db' },
      since: { source: 'layer', layer: '/prod/db' },
      port: { source: 'type' },
    });
    await store.put(KEY, { port: 2 }, { layer: '/prod/db' });
    expect(etcd.text('/prod/db')).toBe('port: 2\n');
    await store.update(KEY, schema, (value) => ({ ...value, host: 'x' }), { layer: '/prod/db' });
    expect(etcd.text('/prod/db')).toBe('port: 2\nhost: x\n');
  });

  it('reports unknown properties of a layer, or refuses them', async () => {
    const etcd = new FakeCluster({ '/base/db': { host: 'h' }, '/prod/db': { hots: 1 } });
    const logger = new CollectingLogger();
    await using started = await start(etcd, {}, { logger });

    expect(started.store.entry(KEY, Db).from).not.toHaveProperty('hots');
    expect(lines(logger, 'warn').join()).toContain('"/shop/db": ignored properties that its class does not know: hots');
    expect(await problemOf(start(etcd, { unknown: 'refuse' }))).toContain('hots of layer "/prod/db" [unknown]');
  });

  it('restores the layers from an offline snapshot, with the override of the new start', async () => {
    await using folder = await TemporaryFolder.create('layers');
    const directory = folder.path;
    const etcd = new FakeCluster({ '/base/db': { host: 'h' }, '/prod/db': { note: 'n' } });
    const options = { snapshot: { directory }, boot: { policy: 'degraded', timeoutMs: 500 } } as const;
    const first = await start(etcd, { override: { port: 1, replicas: ['local secret'] } }, options);
    await first.app.close();
    const [file = ''] = readdirSync(directory);
    const [saved] = decodeSnapshot(readFileSync(join(directory, file))).documents;
    const layers = JSON.parse(saved?.bytes.toString() ?? '') as [string, number, string | null][];
    expect(layers.map(([key, , bytes]) => [key, bytes && Buffer.from(bytes, 'base64').toString()])).toEqual([
      ['/base/db', '{"host":"h"}'],
      ['/prod/db', '{"note":"n"}'],
      ['/prod/pods/p1/db', null],
    ]);
    etcd.disconnect();
    const logger = new CollectingLogger();
    await using second = await start(etcd, { override: { port: 2 } }, { ...options, logger });

    expect(second.store.entry(KEY, Db)).toMatchObject({
      source: 'snapshot',
      value: { host: 'h', note: 'n', port: 2 },
      from: { note: { layer: '/prod/db' }, port: { source: 'override' } },
    });
    etcd.reconnect();
    etcd.put('/prod/db', { note: 'fresh' });
    await settled(second.app);
    expect(second.store.entry(KEY, Db)).toMatchObject({ source: 'etcd', value: { note: 'fresh' } });
    await second.app.close();
    etcd.disconnect();
    await using other = await start(etcd, { layers: ['/base/db'] }, options);
    await using plain = await start(etcd, { layers: undefined }, options);
    expect([other.store.get(KEY, Db), plain.store.get(KEY, Db)]).toEqual([undefined, undefined]);
  });
});

describe('an override', () => {
  class Service {
    @IsString() url!: string;
    @IsOptional() @IsInt() timeoutMs?: number;
  }

  it('is laid over the document of a key without layers, and wins over later documents', async () => {
    const etcd = new FakeCluster({ '/service': { url: 'etcd', timeoutMs: 1 } });
    const override = fromEnv('SERVICE_', { env: { SERVICE_TIMEOUT_MS: '5' } });
    const configs = [{ key: '/service', type: Service, override }];
    await using started = await startApp({ hosts: '', client: etcd, configs });
    const { store } = started;
    await store.put('/service', { url: 'new', timeoutMs: 2 });

    expect(store.entry('/service', Service)).toMatchObject({
      value: { url: 'new', timeoutMs: 5 },
      from: {
        url: { source: 'layer', layer: '/service' },
        timeoutMs: { source: 'override', variable: 'SERVICE_TIMEOUT_MS' },
      },
    });
    expect(etcd.json('/service')).toEqual({ url: 'new', timeoutMs: 2 });
  });

  it('is the value while etcd has none, if it is complete', async () => {
    const startWith = (override: object, required: boolean) =>
      startApp({
        hosts: '',
        client: new FakeCluster(),
        configs: [{ key: '/service', type: Service, override, required }],
      });
    await using complete = await startWith({ url: 'local' }, true);
    await using partial = await startWith({ timeoutMs: 1 }, false);

    expect(complete.store.entry('/service', Service)).toMatchObject({
      state: 'absent',
      source: 'default',
      value: { url: 'local' },
      from: { url: { source: 'override' } },
    });
    expect(partial.store.get('/service', Service)).toBeUndefined();
    expect(await problemOf(startWith({ timeoutMs: 1 }, true))).toContain('key "/service" is required and missing');
  });

  it('may be a function, which is called once, and remove properties by null', async () => {
    let calls = 0;
    const override = (): object => {
      calls += 1;
      return { timeoutMs: null };
    };
    const etcd = new FakeCluster({ '/service': { url: 'a', timeoutMs: 1 } });
    await using started = await startApp({
      hosts: '',
      client: etcd,
      configs: [{ key: '/service', type: Service, override }],
    });
    etcd.put('/service', { url: 'b', timeoutMs: 2 });
    await settled(started.app);

    expect(started.store.get('/service', Service)).toEqual({ url: 'b' });
    expect(calls).toBe(1);
  });

  it('that makes every value invalid is named at startup, without its value', async () => {
    const etcd = new FakeCluster({ '/service': { url: 'a' } });
    const env = { S_TIMEOUT_MS: '1.5', S_URL: 'x' };
    const configs = [{ key: '/service', type: Service, override: fromEnv('S_', { env }) }];
    const text = await problemOf(startApp({ hosts: '', client: etcd, configs }));

    expect(text).toContain('"/service" is not valid: timeoutMs of the variable S_TIMEOUT_MS [isInt]');
    expect(text).not.toContain('1.5');
  });

  it('may be given twice in equal definitions, and is read by loadConfig', async () => {
    const env = { SERVICE_URL: 'local' };
    const definition = () => ({ key: '/service', type: Service, override: fromEnv('SERVICE_', { env }) });
    const client = new FakeCluster({ '/service': { timeoutMs: 1 } });
    await using started = await startApp({ hosts: '', client, configs: [definition(), definition()] });
    const view = await loadConfig({ client, configs: [definition()], logger: new CollectingLogger() });

    expect(started.store.get('/service', Service)).toEqual({ url: 'local', timeoutMs: 1 });
    expect(view.get('/service', Service)).toEqual({ url: 'local', timeoutMs: 1 });
  });

  it('warns of variables that set no property of any definition', async () => {
    const logger = new CollectingLogger();
    const env = { DB_URL: 'a', DB_REPLICA_URL: 'b', DB_REPLICA_ULR: 'c', OTHER: 'd' };
    const configs = [
      { key: '/db', type: Service, override: fromEnv('DB_', { env }) },
      { key: '/replica', type: Service, override: fromEnv('DB_REPLICA_', { env }) },
    ];
    await using started = await startApp({ hosts: '', client: new FakeCluster(), configs, logger });

    expect(started.store.get('/replica', Service)).toEqual({ url: 'b' });
    expect(lines(logger, 'warn')).toEqual([
      'these variables set no property of a configuration, and are ignored: "DB_REPLICA_ULR"',
    ]);
  });
});

it('the inspector describes the layers of a definition, without values', async () => {
  class Service {
    @IsString() url!: string;
  }
  const etcd = new FakeCluster({ '/base/db': { url: 'a secret' }, '/other': { url: 'b' } });
  const configs = [
    { key: KEY, type: Service, layers: LAYERS },
    { key: '/other', type: Service },
  ];
  await using started = await startApp({ hosts: '', client: etcd, configs });
  const inspector = started.app.get(EtcdTriggerInspector);
  const [layered, plain] = inspector.describe().clusters[0]?.store.definitions ?? [];

  expect(layered).toMatchObject({
    target: 'key "/shop/db"',
    layers: [
      { key: '/base/db', revision: 2 },
      { key: '/prod/db', revision: 0 },
      { key: '/prod/pods/p1/db', revision: 0 },
    ],
    keys: [{ key: KEY, state: 'valid', value: 'masked', revision: 2 }],
  });
  expect(JSON.stringify(layered)).not.toContain('a secret');
  expect(plain).not.toHaveProperty('layers');
  expect(inspector.schema().map(({ target, layers }) => [target, layers])).toEqual([
    [{ key: KEY }, LAYERS],
    [{ key: '/other' }, undefined],
  ]);
});
