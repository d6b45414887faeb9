import { Injectable } from '@nestjs/common';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, ValidateNested } from 'class-validator';
import {
  type ConfigDefinition,
  type ConfigRef,
  type DeliveryContext,
  type EtcdTriggerOptions,
  InjectConfig,
  WatchKey,
  type WatchEvent,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';
import { startApp, type StartedApp } from '../../support/start-app.js';
import { problemOf } from '../layers/layered-app.js';

const DAY_MS = 86_400_000;
const AUDIT = { prefix: '/audit' };

class Pool {
  @IsInt() max!: number;
}

class Database {
  @IsString() host!: string;
  @IsOptional() @ValidateNested() @Type(() => Pool) pool?: Pool;
  @IsOptional() @IsString() password?: string;
}

const start = (
  client: FakeCluster,
  options: Partial<EtcdTriggerOptions> = {},
  providers: NonNullable<Parameters<typeof startApp>[1]>['providers'] = [],
): Promise<StartedApp> =>
  startApp(
    {
      hosts: '',
      client,
      serviceName: 'shop',
      podName: 'shop-1',
      configs: [{ prefix: '/app/', type: Database }],
      audit: AUDIT,
      ...options,
    },
    { providers },
  );

describe('the audit trail', () => {
  it('records every kind of write in the transaction of the write', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake);
    const { store } = started;
    const key = '/app/db';
    const who = { author: 'ada', reason: 'OPS-1' };

    const { revision: first } = await store.put(key, { host: 'a' }, who);
    await store.put(key, { host: 'a', pool: { max: 1 } }, { ifRevision: first });
    await store.update(key, Database, (current) => ({ host: 'b', pool: { max: current?.pool?.max ?? 0 } }), who);
    const { revision: rolledBack } = await store.rollback(key, first, who);
    await store.transaction(
      (tx) => {
        tx.put(key, { host: 'c' });
        tx.put('/app/other', { host: 'd' });
      },
      { author: 'grace' },
    );
    await store.delete(key, { reason: 'gone' });

    const records = await store.audit(key);
    const instance = { serviceName: 'shop', podName: 'shop-1' };
    const time = fake.now;
    expect(records).toEqual(
      [
        { action: 'delete', reason: 'gone', fromRevision: rolledBack + 1, changedPaths: [''] },
        { action: 'put', author: 'grace', fromRevision: rolledBack, changedPaths: ['host'] },
        { action: 'rollback', ...who, fromRevision: first + 2, changedPaths: ['host', 'pool'] },
        { action: 'update', ...who, fromRevision: first + 1, changedPaths: ['host'] },
        { action: 'put', fromRevision: first, changedPaths: ['pool'] },
        { action: 'put', ...who, fromRevision: 0, changedPaths: [''] },
      ].map((record, index) => ({ key, revision: first + 5 - index, time, instance, furtherPaths: 0, ...record })),
    );
    expect(fake.revision).toBe(first + 5);
    expect(await store.audit('/app/other')).toHaveLength(1);
  });

  it('records writes of references, of keys with leases and of layers', async () => {
    @Injectable()
    class Writer {
      constructor(@InjectConfig(Database, '/one') readonly ref: ConfigRef<Database | undefined>) {}
    }
    const fake = new FakeCluster({ '/base': '{"host":"x","pool":{"max":1}}' });
    const configs: ConfigDefinition[] = [
      { prefix: '/app/', type: Database },
      { key: '/one', type: Database },
      { key: '/two', type: Database, layers: ['/base', '/prod'] },
    ];
    await using started = await start(fake, { configs }, [Writer]);
    const { store, app } = started;

    await app.get(Writer).ref.put({ host: 'a' }, { author: 'ada' });
    await app.get(Writer).ref.update(() => ({ host: 'b' }), { author: 'bob' });
    await store.put('/app/leased', { host: 'c' }, { lease: { ttlSeconds: 5 }, author: 'carol' });
    await store.put('/two', { pool: { max: 2 } }, { layer: '/prod', author: 'dan' });
    await store.update('/two', Database, (two) => ({ host: 'y', pool: { max: two?.pool?.max ?? 0 } }), {
      layer: '/base',
      author: 'eve',
    });
    await store.rollback('/two', 2, { layer: '/base', author: 'fay' });
    await store.delete('/two', { layer: '/prod', author: 'gil' });

    const authorsOf = async (key: string): Promise<string[]> =>
      (await store.audit(key)).map(({ author = '', action, key: written }) => `${author}: ${action} ${written}`);
    expect(await authorsOf('/one')).toEqual(['bob: update /one', 'ada: put /one']);
    expect(await authorsOf('/app/leased')).toEqual(['carol: put /app/leased']);
    expect(await authorsOf('/two')).toEqual([
      'gil: delete /prod',
      'fay: rollback /base',
      'eve: update /base',
      'dan: put /prod',
    ]);
    expect((await store.audit('/base')).map(({ changedPaths }) => changedPaths)).toEqual([['host'], ['host']]);
  });

  it('records the group whose commit() has written', async () => {
    @Injectable()
    class Orders {
      @WatchKey('/orders/', { group: { name: 'billing', partitions: 1 } })
      async on({ key }: WatchEvent, context: DeliveryContext): Promise<void> {
        await context.commit((tx) => {
          tx.put(`/app${key}`, { host: 'a' });
        });
      }
    }
    const fake = new FakeCluster();
    await using started = await start(fake, { coordination: { prefix: '/co' } }, [Orders]);
    fake.put('/orders/1', 'x');
    await settled(started.app);

    expect(await started.store.audit('/app/orders/1')).toMatchObject([{ action: 'put', group: 'billing' }]);
  });

  it('repeats a commit() whose lease of records was revoked, and applies it once', async () => {
    let calls = 0;
    @Injectable()
    class Orders {
      @WatchKey('/orders/', { group: { name: 'billing', partitions: 1 } })
      async on({ key }: WatchEvent, context: DeliveryContext): Promise<void> {
        calls += 1;
        await context.commit((tx) => {
          tx.put(`/app${key}`, { host: 'a' });
        });
      }
    }
    const fake = new FakeCluster();
    await using started = await start(fake, { coordination: { prefix: '/co' } }, [Orders]);
    await started.store.put('/app/first', { host: 'a' });
    revokeRecords(fake);
    fake.put('/orders/1', 'x');
    await settled(started.app);

    expect(calls).toBe(1);
    expect(fake.get('/app/orders/1')?.version).toBe(1);
    expect(await started.store.audit('/app/orders/1')).toHaveLength(1);
  });

  it('contains names of properties, and no value', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake);
    await started.store.put('/app/db', { host: 'a', password: 'S3CRET-1' });
    await started.store.put('/app/db', { host: 'a', password: 'S3CRET-2' });

    const text = fake.keys('/audit/').map((key) => fake.text(key));
    expect(text).toHaveLength(2);
    expect(text.join()).not.toContain('S3CRET');
    expect((await started.store.audit('/app/db'))[0]).toMatchObject({ changedPaths: ['password'] });
  });

  it('does not name properties if the writer did not know the replaced document', async () => {
    const fake = new FakeCluster({ '/app/db': '{"host":1}' });
    await using started = await start(fake);
    await started.store.put('/app/db', { host: 'a' });

    const [record] = await started.store.audit('/app/db');
    expect(record).toMatchObject({ fromRevision: 2, furtherPaths: 0 });
    expect(record).not.toHaveProperty('changedPaths');
  });

  it('lists a bounded number of paths', async () => {
    class Flags {
      @IsOptional() @IsString() note?: string;
    }
    const fake = new FakeCluster();
    const many = (value: number): Record<string, number> =>
      Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`flag${index}`, value]));
    const codec = {
      decode: (bytes: Buffer) => JSON.parse(bytes.toString()) as object,
      encode: () => Buffer.from(text),
    };
    let text = JSON.stringify(many(1));
    await using started = await start(fake, { configs: [{ key: '/flags', type: Flags, codec }] });
    await started.store.put('/flags', {});
    text = JSON.stringify(many(2));
    await started.store.put('/flags', {});

    const [record] = await started.store.audit('/flags');
    expect(record?.changedPaths).toHaveLength(100);
    expect(record?.furtherPaths).toBe(200);
  });

  it('does not mix up the records of a key and of longer ones', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake, { configs: [{ prefix: '/k', type: Database }] });
    const keys = ['/k', '/k/b', '/k/b/c', '/kb', '/k/'];
    for (const key of keys) await started.store.put(key, { host: key });

    for (const key of keys) {
      expect((await started.store.audit(key)).map((record) => record.key)).toEqual([key]);
    }
  });

  it('returns the newest records, as many as are wanted', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake);
    const revisions: number[] = [];
    for (let index = 0; index < 140; index += 1) {
      revisions.unshift((await started.store.put('/app/db', { host: String(index) })).revision);
    }
    const read = async (limit?: number): Promise<number[]> =>
      (await started.store.audit('/app/db', { limit })).map(({ revision }) => revision);

    expect(await read()).toEqual(revisions.slice(0, 50));
    expect(await read(3)).toEqual(revisions.slice(0, 3));
    expect(await read(1_000)).toEqual(revisions);
    expect(await problemOf(started.store.audit('/app/db', { limit: 0 }))).toBe(
      'InvalidOptionsError: audit "/app/db": limit must be an integer of at least 1',
    );
  });

  it('leaves out foreign and corrupt records with one warning, which contains nothing of them', async () => {
    const fake = new FakeCluster();
    const logger = new CollectingLogger();
    await using started = await start(fake, { logger });
    await started.store.put('/app/db', { host: 'a' });
    const [own = ''] = fake.keys('/audit/');
    const record = fake.json(own) as object;
    const uuid = (digit: number): string => `0000000${digit}-0000-4000-8000-000000000000`;
    const foreign: Record<string, unknown> = {
      'not-a-uuid': record,
      [uuid(1)]: { ...record, v: 2 },
      [uuid(2)]: { ...record, time: 'HIDDEN' },
      [uuid(3)]: { ...record, changedPaths: [{ HIDDEN: 1 }] },
      [uuid(4)]: { ...record, instance: null },
      [uuid(5)]: 'HIDDEN',
      [uuid(6)]: null,
      [uuid(8)]: { ...record, author: 'HIDDEN'.repeat(20_000) },
    };
    for (const [name, value] of Object.entries(foreign)) fake.put(`/audit//app/db/${name}`, JSON.stringify(value));
    fake.put(`/audit//app/db/${uuid(7)}`, 'HIDDEN');

    expect(await started.store.audit('/app/db')).toHaveLength(1);
    expect(await started.store.audit('/app/db')).toHaveLength(1);
    expect(logger.text.match(/warn .*/g)).toEqual([
      'warn audit "/app/db": 9 of the keys under its prefix are not records of this library and are left out [service=shop pod=shop-1] EtcdTrigger',
    ]);
    expect(logger.text).not.toContain('HIDDEN');
  });

  it('rejects a transaction that etcd would not take with its records', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake, { outcomes: { prefix: '/outcomes' } });
    const write = (count: number): Promise<unknown> =>
      started.store.transaction((tx) => {
        for (let index = 0; index < count; index += 1) tx.put(`/app/${index}`, { host: 'a' });
      });

    await write(63);
    expect(fake.keys('/audit/')).toHaveLength(63);
    expect(await problemOf(write(64))).toBe(
      'WriteError: transaction: 64 writes, with "audit" a transaction takes at most 63 (half of limits.transactionOperations, 128); nothing was sent',
    );
  });

  it.each([
    ['put', { author: '' }, 'put "/app/db": author must be a string of 1 to 256 characters, not 0 characters'],
    ['put', { author: 7 }, 'put "/app/db": author must be a string of 1 to 256 characters, not number'],
    [
      'delete',
      { reason: 'x'.repeat(1_025) },
      'delete "/app/db": reason must be a string of 1 to 1024 characters, not 1025 characters',
    ],
  ] as const)('rejects an invalid note of %s', async (method, note, message) => {
    const fake = new FakeCluster();
    await using started = await start(fake);
    const options = note as { author?: string };
    const write =
      method === 'put'
        ? started.store.put('/app/db', { host: 'a' }, options)
        : started.store.delete('/app/db', options);

    expect(await problemOf(write)).toBe(`InvalidOptionsError: ${message}`);
    expect(fake.keys()).toEqual([]);
  });

  it('writes and grants nothing without the option, and says how to get it', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake, { audit: undefined });
    await started.store.put('/app/db', { host: 'a' }, { author: 'ada' });

    expect(fake.keys()).toEqual(['/app/db']);
    expect(await problemOf(started.store.audit('/app/db'))).toBe(
      `InvalidOptionsError: audit "/app/db": there is no audit trail; add audit: { prefix: '/audit/my-app' } to the options of EtcdTriggerModule`,
    );
  });

  it.each([
    [
      { prefix: '' },
      '"audit.prefix" must be a prefix for the records of the audit trail only, such as "/audit/my-app"',
    ],
    [{ prefix: '/x', keepDays: 0 }, '"audit.keepDays" must be an integer from 1 to 36500'],
    [{ prefix: '/x', keepDay: 1 }, '"audit.keepDay" is not an option: did you mean "audit.keepDays"?'],
    [{ prefix: '/co/x' }, '"coordination.prefix" and "audit.prefix" overlap: use separate prefixes'],
    [{ prefix: '/out' }, '"outcomes.prefix" and "audit.prefix" overlap: use separate prefixes'],
    [
      { prefix: '/app/audit' },
      'prefix "/app/" of a definition overlaps "audit.prefix": use a separate prefix for the audit trail',
    ],
    [{ prefix: '/k' }, 'key "/k/1" of a definition overlaps "audit.prefix": use a separate prefix for the audit trail'],
  ])('does not start with the option %j', async (audit, message) => {
    const configs: ConfigDefinition[] = [
      { prefix: '/app/', type: Database },
      { key: '/k/1', type: Database },
    ];
    const options = { audit, configs, coordination: { prefix: '/co' }, outcomes: { prefix: '/out/1' } };
    expect(await problemOf(start(new FakeCluster(), options))).toBe(`InvalidOptionsError: ${message}`);
  });

  it('applies the keyPrefix to its records', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake, { keyPrefix: '/tenant' });
    await started.store.put('/app/db', { host: 'a' });

    expect(fake.keys('/tenant/audit//app/db/')).toHaveLength(1);
    expect(await started.store.audit('/app/db')).toHaveLength(1);
  });
});

describe('the lease of the records', () => {
  it('is granted once a day, and keeps a record for at least keepDays and at most a day longer', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake, { audit: { ...AUDIT, keepDays: 3 } });
    const put = async (): Promise<number> => (await started.store.put('/app/db', { host: 'a' })).revision;
    const kept = async (): Promise<number[]> =>
      (await started.store.audit('/app/db')).map(({ revision }) => revision).reverse();
    const first = await put();
    fake.advance(DAY_MS - 1);
    const second = await put();
    expect(leasesOf(fake).size).toBe(1);
    fake.advance(2);
    const third = await put();
    expect(leasesOf(fake).size).toBe(2);

    fake.advance(3 * DAY_MS - 2);
    expect(await kept()).toEqual([first, second, third]);
    fake.advance(1);
    expect(await kept()).toEqual([third]);
    expect(fake.get('/app/db')).toBeDefined();
  });

  it('is replaced if it was revoked, without a second write', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake, { outcomes: { prefix: '/outcomes' } });
    await started.store.put('/app/db', { host: 'a' });
    revokeRecords(fake);
    await Promise.all(['/app/db', '/app/2', '/app/3'].map((key) => started.store.put(key, { host: 'b' })));

    expect(fake.get('/app/db')?.version).toBe(2);
    expect(await started.store.audit('/app/db')).toHaveLength(1);
    expect(leasesOf(fake).size).toBe(1);
  });

  it('is the one whose grant was answered too late', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake, { requestTimeoutMs: 1_000 });
    fake.freeze();
    const write = started.store.put('/app/db', { host: 'a' });
    await Promise.resolve();
    fake.advance(1_001);
    await new Promise(setImmediate);
    fake.thaw();
    await write;

    expect(fake.get('/app/db')?.version).toBe(1);
    expect(await started.store.audit('/app/db')).toHaveLength(1);
    expect(started.store.status).toBe('ready');
  });

  it('fails a write that cannot be recorded, and writes nothing', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake);
    fake.deny('/audit/');
    expect(await problemOf(started.store.put('/app/db', { host: 'a' }))).toMatch(/^PermissionDeniedError: /);
    expect(fake.keys()).toEqual([]);
    fake.allow();
    await started.store.put('/app/db', { host: 'a' });
  });

  it('is used when a key is put again whose own lease expired', async () => {
    const fake = new FakeCluster();
    await using started = await start(fake);
    await started.store.put('/app/leased', { host: 'a' }, { lease: { ttlSeconds: 1 } });
    fake.revokeLease(fake.get('/app/leased')?.lease ?? '');
    await eventually(() => fake.get('/app/leased') !== undefined);

    expect((await started.store.audit('/app/leased')).map(({ action }) => action)).toEqual(['restore', 'put']);
  });
});

const leasesOf = (fake: FakeCluster): Set<string | undefined> =>
  new Set(fake.keys('/audit/').map((key) => fake.get(key)?.lease));

function revokeRecords(fake: FakeCluster): void {
  for (const lease of leasesOf(fake)) fake.revokeLease(lease ?? '');
}
