/* Compiled by `public-types.spec.ts` with the settings of several applications, and never run. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import { type } from 'arktype';
import { IsInt, IsOptional, IsString } from 'class-validator';
import {
  type ConfigEntry,
  type ConfigRef,
  type EtcdTriggerOptions,
  getConfigToken,
  InjectConfig,
  loadConfig,
  type StandardSchema,
  type StoreService,
  type WatcherService,
} from 'nestjs-etcd-trigger';
import * as v from 'valibot';
import { expectTypeOf } from 'vitest';
import { z } from 'zod';

class Database {
  @IsString() host!: string;
  @IsOptional() @IsInt() port?: number;
}
class Limit {
  @IsInt() count!: number;
}
const Flag = z.object({ on: z.boolean(), since: z.string().transform((text) => new Date(text)) });
const Name = v.object({ name: v.string(), size: v.optional(v.number(), 1) });
const Level = type({ level: "'debug' | 'info'" });
declare const anySchema: StandardSchemaV1<{ a: string }, { a: number }>;

declare const store: StoreService;
declare const watcher: WatcherService;

export async function infersTypes(): Promise<void> {
  expectTypeOf(store.get('/db', Database)).toEqualTypeOf<Database | undefined>();
  expectTypeOf(store.getOrThrow('/flag', Flag)).toEqualTypeOf<{ on: boolean; since: Date }>();
  expectTypeOf(store.getOrThrow('/name', Name)).toEqualTypeOf<{ name: string; size: number }>();
  expectTypeOf(store.getOrThrow('/level', Level).level).toEqualTypeOf<'debug' | 'info'>();
  expectTypeOf(store.getOrThrow('/any', anySchema)).toEqualTypeOf<{ a: number }>();
  expectTypeOf(store.entry('/level', Level)).toEqualTypeOf<ConfigEntry<{ level: 'debug' | 'info' }>>();
  expectTypeOf(store.entries('/names/', Name)).toEqualTypeOf<ReadonlyMap<string, { name: string; size: number }>>();
  expectTypeOf(store.snapshot().get('/db', Database)).toEqualTypeOf<Database | undefined>();
  expectTypeOf(store.select('/flag', Flag, (flag) => flag?.since).value).toEqualTypeOf<Date | undefined>();
  expectTypeOf(await store.fresh('/flag', Flag)).toEqualTypeOf<{ on: boolean; since: Date } | undefined>();
  store.onChange(
    '/',
    ({ value }) => {
      expectTypeOf(value).toEqualTypeOf<{ name: string; size: number } | undefined>();
    },
    { type: Name },
  );
  expectTypeOf<typeof anySchema>().toExtend<StandardSchema<{ a: string }, { a: number }>>();
}

export async function checksWrites(): Promise<void> {
  const database = new Database();
  await store.put('/db', { host: 'a' }, { ifAbsent: true });
  await store.put('/db', Database, database);
  await store.put('/db', Database, { host: 'a', port: 1 }, { ifRevision: 1 });
  await store.put('/flag', Flag, { on: true, since: '2026-01-01' });
  await store.put('/name', Name, { name: 'a' });
  await store.update('/db', Database, (now) => now ?? { host: 'a' });
  await store.update('/flag', Flag, (now) => ({
    on: !(now?.on ?? false),
    since: (now?.since ?? new Date()).toISOString(),
  }));
  await store.transaction((tx) => {
    tx.put('/db', Database, { host: 'a' });
    tx.put('/name', { anything: true });
    tx.put('/flag', Flag, { on: true, since: '' }, { ifAbsent: true });
  });

  // @ts-expect-error a wrong type
  await store.put('/db', Database, { host: 1 });
  // @ts-expect-error a property is missing
  await store.put('/db', Database, {});
  // @ts-expect-error another class
  await store.put('/db', Database, new Limit(), { ifAbsent: true });
  // @ts-expect-error the output of the schema
  await store.put('/flag', Flag, { on: true, since: new Date() });
  // @ts-expect-error not an object
  await store.put('/db', 'text');
  // @ts-expect-error a wrong result
  await store.update('/db', Database, () => ({ port: 1 }));
  // @ts-expect-error a wrong result of a schema
  await store.update('/name', Name, () => ({ size: 1 }));
  await store.transaction((tx) => {
    // @ts-expect-error a wrong type
    tx.put('/db', Database, { host: 1 });
  });
}

export class References {
  constructor(
    @InjectConfig(Database) readonly database: ConfigRef<Database>,
    @InjectConfig(Flag, '/flag') readonly flag: ConfigRef<z.output<typeof Flag>, z.input<typeof Flag>>,
    @InjectConfig(Limit, { under: '/limits/', key: 'a' }) readonly limit: ConfigRef<Limit | undefined>,
    @InjectConfig(Limit, { under: '/limits/' }, 'audit') readonly limits: ConfigRef<ReadonlyMap<string, Limit>>,
  ) {}

  async write(): Promise<void> {
    await this.database.put({ host: 'a' }, { ifAbsent: true });
    await this.flag.put({ on: true, since: '' });
    await this.limit.update((limit) => ({ count: (limit?.count ?? 0) + 1 }));
    const optional: ConfigRef<Database | undefined> = this.database;
    getConfigToken(Limit, { under: '/limits/', key: undefined });

    // @ts-expect-error a wrong type
    await optional.put({ host: 1 });
    // @ts-expect-error the output of the schema
    await this.flag.put({ on: true, since: new Date() });
    // @ts-expect-error a prefix cannot be written
    await this.limits.put(new Map());
    // @ts-expect-error a projection that is no object
    await store.select('/db', Database, () => 1).put(1);
    // @ts-expect-error "under" is missing
    getConfigToken(Limit, { key: 'a' });
  }
}

/** Every optional option may be `undefined`, so that an application can pass on what it may not have. */
export async function acceptsUndefined(none: undefined): Promise<EtcdTriggerOptions> {
  await store.put('/db', { host: 'a' }, { ifRevision: none, ifAbsent: none, lease: none, fence: none });
  await store.update('/db', Database, () => ({ host: 'a' }), { fence: none });
  await store.delete('/db', { ifRevision: none });
  await store.history('/db', { limit: none, type: none });
  await store.waitForRevision(1, { timeoutMs: none });
  store.onChange('/', () => none, { type: none, debounceMs: none });
  await watcher.watch('/', () => none, {
    signal: none,
    initial: none,
    onError: none,
    retry: { attempts: 1, backoff: none },
  });
  await watcher.put('/', '', { lease: none });
  return {
    client: { hosts: 'localhost:2379' },
    keyPrefix: none,
    logger: none,
    boot: { policy: none, timeoutMs: 1 },
    shutdown: { drainTimeoutMs: none },
    limits: { values: none },
    snapshot: { directory: '/tmp', encryptionKey: none },
    handlers: { register: none },
    watchDefaults: { order: none, backoff: none } as EtcdTriggerOptions['watchDefaults'],
    configs: [{ key: '/db', type: Database, default: none, required: none, limits: { values: none } }],
  };
}

export async function joinsAndLoads(): Promise<void> {
  const join = store.join({ db: ['/db', Database], flag: ['/flag', Flag] });
  expectTypeOf(join.value).toEqualTypeOf<{
    readonly db: Database | undefined;
    readonly flag: { on: boolean; since: Date } | undefined;
  }>();
  // @ts-expect-error a join cannot be written
  await join.put({ db: undefined, flag: undefined });
  // @ts-expect-error a part is a pair
  store.join({ db: '/db' });
  expectTypeOf(await store.pinned(() => 1)).toEqualTypeOf<number>();
  expectTypeOf(await store.pinned(() => Promise.resolve('a'))).toEqualTypeOf<string>();

  const client = { hosts: 'etcd:2379' };
  const loaded = await loadConfig({ client, configs: [{ key: '/db', type: Database, default: { host: 'a' } }] });
  expectTypeOf(loaded.getOrThrow('/db', Database)).toEqualTypeOf<Database>();
  // @ts-expect-error a default of another class
  await loadConfig({ client, configs: [{ key: '/db', type: Database, default: { count: 1 } }] });
}
