import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Inject, Injectable, type Type } from '@nestjs/common';
import {
  type ConfigChange,
  type ConfigRef,
  EtcdTriggerInspector,
  EtcdTriggerModule,
  getConfigToken,
  InjectConfig,
  InvalidConfigError,
  type RevisionConflictError,
  type SchemaOutput,
  type StandardSchema,
  WatchKey,
  type WatchEvent,
  WatchKeyRegistry,
} from 'nestjs-etcd-trigger';
import * as v from 'valibot';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CollectingLogger } from '../support/collecting-logger.js';
import { Database as DatabaseClass } from '../support/configs.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const Database = z.object({ host: z.string(), port: z.number().int().default(5432) });
const Limit = v.object({ count: v.pipe(v.number(), v.integer()) });
/** Reads text and returns a `Set`, so documents and values have different types. */
const Tags = z.object({ tags: z.string().transform((text) => new Set(text.split(','))) });

const SECRET = 'hunter2-SECRET';

describe('a definition with a schema', () => {
  const etcd = ownEtcd();
  const { put } = etcd;
  const configs = [
    { key: '/db', schema: Database, default: { host: 'localhost' } },
    { prefix: '/limits/', schema: Limit },
    { key: '/tags', schema: Tags },
  ] as const;
  const start = (logger = new CollectingLogger()) => startApp({ hosts: etcd.hosts, configs, logger });

  it('validates the initial list and every change, and a bad value never replaces a good one', async () => {
    const log = new CollectingLogger();
    await put('/limits/a', { count: 1, unknown: true });
    await put('/limits/bad', { count: SECRET });
    await using app = await start(log);
    const { store } = app;

    expect(store.get('/db', Database)).toEqual({ host: 'localhost', port: 5432 });
    expect(store.getOrThrow('/limits/a', Limit)).toEqual({ count: 1 });
    expect(Object.isFrozen(store.get('/limits/a', Limit))).toBe(true);
    expect(store.entry('/limits/bad', Limit)).toMatchObject({
      state: 'invalid',
      violations: [{ path: 'count', constraints: ['number'] }],
    });
    await put('/limits/a', { count: 2 });
    await store.waitForRevision(await put('/db', `{"host":1,"port":"${SECRET}"}`));

    expect([...store.entries('/limits/', Limit)]).toEqual([['/limits/a', { count: 2 }]]);
    expect(store.snapshot('/limits/').get('/limits/a', Limit)).toEqual({ count: 2 });
    expect(store.entry('/db', Database)).toMatchObject({
      value: { host: 'localhost', port: 5432 },
      violations: [
        { path: 'host', constraints: ['invalid_type'] },
        { path: 'port', constraints: ['invalid_type'] },
      ],
    });
    expect(log.text).toContain('"/db"');
    expect(log.text).not.toContain('SECRET');
  });

  it('validates writes with the same schema, whose input they are', async () => {
    await using app = await start();
    const { store } = app;

    await store.put('/db', Database, { host: 'a' });
    expect(store.get('/db', Database)).toEqual({ host: 'a', port: 5432 });
    await store.update('/db', Database, (current) => ({ host: 'b', ...(current && { port: current.port + 1 }) }));
    await store.put('/tags', { tags: 'a,b' });
    await store.update('/tags', Tags, (current) => ({ tags: [...(current?.tags ?? []), 'c'].join() }));
    await store.transaction((tx) => {
      tx.put('/limits/a', Limit, { count: 1 });
      tx.delete('/db');
    });

    expect(store.get('/tags', Tags)).toEqual({ tags: new Set(['a', 'b', 'c']) });
    expect([store.get('/db', Database)?.host, store.get('/limits/a', Limit)?.count]).toEqual(['localhost', 1]);
    expect((await store.history('/db', { type: Database, limit: 2 })).map(({ value }) => value)).toEqual([
      { host: 'b', port: 5433 },
      { host: 'a', port: 5432 },
    ]);
    const failure = await store.put('/limits/a', { count: SECRET }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(InvalidConfigError);
    expect((failure as InvalidConfigError).violations).toEqual([{ path: 'count', constraints: ['number'] }]);
    expect(String(failure)).not.toContain('SECRET');
  });

  it('is the type of the current value of a conflict', async () => {
    await put('/limits/a', { count: 1 });
    await using app = await start();
    const conflict = (await app.store
      .put('/limits/a', Limit, { count: 2 }, { ifAbsent: true })
      .catch((error: unknown) => error)) as RevisionConflictError;

    expect(conflict.current(Limit)?.count).toBe(1);
    expect(conflict.current()).toEqual({ count: 1 });
    expect([conflict.current(Database), conflict.current(DatabaseClass)]).toEqual([undefined, undefined]);
  });

  it('is requested by its schema object, and errors name the kind of schema', async () => {
    await using app = await start();
    const { store } = app;
    const other = z.object({ host: z.string() });

    expect(() => store.get('/db', other)).toThrow(
      'key "/db" was requested as zod schema, but key "/db" is defined with another zod schema',
    );
    expect(() => store.get('/db', DatabaseClass)).toThrow(
      'key "/db" was requested as Database, but key "/db" is defined with zod schema',
    );
    await expect(store.put('/limits/a', Database, { host: 'a' })).rejects.toThrow('is defined with valibot schema');
    await expect(
      store.transaction((tx) => {
        tx.put('/limits/a', DatabaseClass, { host: 'a' });
      }),
    ).rejects.toThrow('is defined with valibot schema');
    expect(() => store.getOrThrow('/limits/a', Limit)).toThrow(
      '"/limits/a": there is no value of its valibot schema in etcd',
    );
    const { clusters } = app.app.get(EtcdTriggerInspector).describe();
    expect(clusters[0]?.store.definitions.map(({ type }) => type)).toEqual([
      'zod schema',
      'zod schema',
      'valibot schema',
    ]);
  });

  it('provides a ConfigRef by the schema, typed listeners and select', async () => {
    await put('/limits/a', { count: 1 });
    @Injectable()
    class Client {
      constructor(
        @InjectConfig(Database) readonly database: ConfigRef<SchemaOutput<typeof Database>, z.input<typeof Database>>,
        @InjectConfig(Limit, '/limits/') readonly limits: ConfigRef<ReadonlyMap<string, SchemaOutput<typeof Limit>>>,
        @Inject(getConfigToken(Database, '/db')) readonly same: ConfigRef<SchemaOutput<typeof Database>>,
      ) {}
    }
    await using app = await startApp({ hosts: etcd.hosts, configs }, { providers: [Client] });
    const { database, limits, same } = app.app.get(Client);
    const changes: ConfigChange<SchemaOutput<typeof Limit>>[] = [];
    app.store.onChange('/', (change) => changes.push(change), { type: Limit });
    const host = app.store.select('/db', Database, (value) => value?.host);

    expect([database.value, same.value]).toEqual(Array(2).fill({ host: 'localhost', port: 5432 }));
    expect([...limits.value]).toEqual([['/limits/a', { count: 1 }]]);
    await database.put({ host: 'a' });
    await app.store.put('/limits/a', { count: 2 });

    expect([database.value.host, host.value]).toEqual(['a', 'a']);
    expect(changes.map(({ key, value, changedPaths }) => [key, value?.count, changedPaths])).toEqual([
      ['/limits/a', 1, ['']],
      ['/limits/a', 2, ['count']],
    ]);
  });

  it('that is missing or equal to none is refused at startup with one sentence', async () => {
    const failureOf = async (definition: unknown): Promise<string> => {
      const started = startApp({ hosts: etcd.hosts, configs: [definition as { key: string; type: Type<object> }] });
      return String(await started.catch((error: unknown) => error));
    };

    expect(await failureOf({ key: '/a', schema: {} })).toContain('the "schema" of key "/a" is not a Standard Schema');
    expect(await failureOf({ key: '/a', type: Database })).toContain(
      'the "type" of key "/a" is a schema of zod: give it as "schema" instead',
    );
    expect(await failureOf({ key: '/a', schema: Database, unknown: 'refuse' })).toContain(
      '"unknown" of key "/a" applies to a "type"; its "schema" decides itself about unknown properties',
    );
    expect(await failureOf({ key: '/a', schema: Database, default: { host: 1 } })).toContain(
      'the "default" of key "/a" is not valid: host [invalid_type]',
    );
    expect(await failureOf({ key: '/a', schema: Limit, required: true })).toContain(
      'key "/a" is required and missing: write a value of its valibot schema there',
    );
  });

  it('is defined in a feature module and reads text', async () => {
    const Level = z.object({ value: z.enum(['debug', 'info']) });
    await put('/level', 'debug');
    await using app = await startApp(
      { hosts: etcd.hosts },
      { imports: [EtcdTriggerModule.forFeature([{ key: '/level', schema: Level, codec: 'text' }])] },
    );

    expect(app.store.get('/level', Level)).toEqual({ value: 'debug' });
    await app.store.put('/level', Level, { value: 'info' });
    expect(await etcd.direct.get('/level').string()).toBe('info');
  });

  describe('and an offline snapshot', () => {
    let directory: string;
    let proxy: TcpProxy;

    beforeEach(async () => {
      proxy = await TcpProxy.start(etcd.first.clientPort);
      directory = mkdtempSync(join(tmpdir(), 'schema-snapshot-'));
    });
    afterEach(() => {
      proxy.stop();
      rmSync(directory, { recursive: true, force: true });
    });

    it('validates the values of the snapshot with the schema', async () => {
      await put('/limits/a', { count: 1 });
      await put('/limits/b', { count: 20 });
      const startWith = (schema: StandardSchema<{ count: number }>) =>
        startApp({ hosts: proxy.endpoint, snapshot: { directory }, configs: [{ prefix: '/limits/', schema }] });
      await (await startWith(Limit))[Symbol.asyncDispose]();
      proxy.refuse();
      proxy.cut();
      const Stricter = v.object({ count: v.pipe(v.number(), v.integer(), v.maxValue(10)) });
      await using app = await startWith(Stricter);

      expect(app.store.entry('/limits/a', Stricter)).toMatchObject({ value: { count: 1 }, source: 'snapshot' });
      expect(app.store.get('/limits/b', Stricter)).toBeUndefined();
    });
  });
});

describe('a handler with a schema', () => {
  const etcd = ownEtcd();

  it('receives validated, frozen values, and is not called with others', async () => {
    const seen: unknown[] = [];
    class Handlers {
      @WatchKey('/orders/', { schema: Database })
      onOrder(order: SchemaOutput<typeof Database> | undefined, { key }: WatchEvent) {
        seen.push([key, order?.port, Object.isFrozen(order)]);
      }
    }
    const log = new CollectingLogger();
    await etcd.put('/orders/1', { host: 'a' });
    await using app = await startApp({ hosts: etcd.hosts, logger: log }, { providers: [Handlers] });
    await eventually(() => seen.length === 1);
    await etcd.put('/orders/2', { host: 1, port: SECRET });
    await etcd.direct.delete().key('/orders/1');
    await eventually(() => seen.length === 2);

    expect(seen).toEqual([
      ['/orders/1', 5432, true],
      ['/orders/1', undefined, true],
    ]);
    expect(app.app.get(WatchKeyRegistry).list()[0]?.invalid).toBe(1);
    expect(log.text).toContain('value of its zod schema at key "/orders/2"');
    expect(log.text).not.toContain('SECRET');
  });

  it('that cannot work as declared stops the start', async () => {
    class Handlers {
      @WatchKey('/a/', { schema: {} as typeof Database })
      noSchema() {}
      @WatchKey('/a/', { schema: Database, type: DatabaseClass })
      both() {}
      @WatchKey('/a/', { schema: Database, unknown: 'refuse' })
      unknown() {}
      @WatchKey('/a/', { schema: Database, batch: true })
      batch() {}
    }
    const failure = String(
      await startApp({ hosts: etcd.hosts }, { providers: [Handlers] }).catch((error: unknown) => error),
    );

    expect(failure).toContain('the "schema" of Handlers.noSchema is not a Standard Schema');
    expect(failure).toContain('Handlers.both has both a "type" and a "schema"; give one of them');
    expect(failure).toContain('"unknown" applies to a "type"; the "schema" decides itself about unknown properties');
    expect(failure).toContain('"schema" cannot be combined with "batch"');
  });
});
