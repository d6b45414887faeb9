import { Controller, Get, Inject, Injectable, Module, Scope, type Type } from '@nestjs/common';
import { LazyModuleLoader } from '@nestjs/core';
import { Test, type TestingModule } from '@nestjs/testing';
import { IsInt, IsString } from 'class-validator';
import {
  type ConfigDefinition,
  EtcdTriggerInspector,
  EtcdTriggerModule,
  getStoreToken,
  type Live,
  liveProvider,
  StoreService,
} from 'nestjs-etcd-trigger';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { TerminusModule } from '@nestjs/terminus';
import { afterEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';

class Database {
  @IsString() host!: string;
}
class Limit {
  @IsInt() count!: number;
}
const Flag = z.object({ on: z.boolean() });

const POOL = Symbol('POOL');

/** A resource that records what happens to it. */
class Pool {
  isEnded = false;

  constructor(readonly name: string) {}

  end(): void {
    this.isEnded = true;
  }
}

@Injectable()
class Names {
  prefix = 'pool of ';
}

const poolOf = (options: Partial<Parameters<typeof liveProvider<Pool, Database>>[0]> = {}) =>
  liveProvider({
    provide: POOL,
    config: Database,
    create: ({ host }) => new Pool(host),
    dispose: (pool) => {
      pool.end();
    },
    ...options,
  });

const DATABASE: ConfigDefinition = { key: '/db', type: Database };

describe('liveProvider', () => {
  let opened: TestingModule[] = [];

  afterEach(async () => {
    for (const module of opened) await module.close();
    opened = [];
  });

  const compile = async (
    etcd: FakeCluster,
    providers: NonNullable<Parameters<typeof Test.createTestingModule>[0]['providers']>,
    { configs = [DATABASE], imports = [] }: { configs?: ConfigDefinition[]; imports?: (Type | object)[] } = {},
  ): Promise<TestingModule> => {
    const root = EtcdTriggerModule.forRootAsync({ configs, useFactory: () => ({ client: etcd, logger: quiet }) });
    const module = await Test.createTestingModule({
      imports: [root, TerminusModule, ...(imports as Type[])],
      providers: [...providers, Names, EtcdTriggerHealthIndicator],
    })
      .setLogger(quiet)
      .compile();
    opened.push(await module.init());
    return module;
  };
  const liveOf = (module: TestingModule, token: unknown = POOL): Live<Pool> =>
    module.get<Live<Pool>>(token as string, { strict: false });
  const reasonsOf = (module: TestingModule): readonly string[] =>
    (module.get(EtcdTriggerHealthIndicator).ready() as { etcd: { clusters?: { default: { reasons?: string[] } } } })
      .etcd.clusters?.default.reasons ?? [];

  it('provides a resource in constructors, and replaces it when the configuration changes', async () => {
    const etcd = new FakeCluster({ '/db': { host: 'a' } });
    @Injectable()
    class Repository {
      readonly first: string;
      constructor(@Inject(POOL) readonly pool: Live<Pool>) {
        this.first = pool.value.name;
      }
    }
    const module = await compile(etcd, [
      liveProvider({
        provide: POOL,
        config: [Database, '/db'],
        inject: [Names, { token: 'absent', optional: true }],
        create: async ({ host }, { signal, inject: [{ prefix }, absent] }) => {
          await Promise.resolve();
          return new Pool(`${prefix}${host} ${String(signal.aborted)} ${String(absent)}`);
        },
        dispose: (pool) => {
          pool.end();
        },
      }),
      Repository,
    ]);
    const { first, pool } = module.get(Repository);
    const old = pool.value;
    etcd.put('/db', { host: 'b' });
    await settled(etcd);

    expect([first, pool.value.name]).toEqual(['pool of a false undefined', 'pool of b false undefined']);
    expect([old.isEnded, pool.value.isEnded]).toEqual([true, false]);
  });

  it('keeps the old resource while create fails, which describe() and the health show', async () => {
    const etcd = new FakeCluster({ '/db': { host: 'a' } });
    const module = await compile(etcd, [
      poolOf({
        create: ({ host }) => {
          if (host === 'bad') throw new TypeError();
          return new Pool(host);
        },
      }),
    ]);
    const live = liveOf(module);
    const described = () => module.get(EtcdTriggerInspector).describe().clusters[0]?.live;
    etcd.put('/db', { host: 'bad' });
    await eventually(() => live.state === 'kept');

    expect([live.value.name, live.value.isEnded]).toEqual(['a', false]);
    expect(described()).toMatchObject([{ name: 'POOL', state: 'kept', reason: 'create-failed' }]);
    expect(reasonsOf(module)).toEqual(['POOL is kept, because it cannot be created from its configuration']);
    etcd.delete('/db');
    await settled(etcd);
    expect(reasonsOf(module)).toEqual(['POOL is kept, because its configuration was deleted']);
    etcd.put('/db', { host: 'b' });
    await settled(etcd);
    expect([live.value.name, live.state, reasonsOf(module)]).toEqual(['b', 'current', []]);
    expect(described()).toMatchObject([{ state: 'current', reason: undefined, failures: 0, replacements: 1 }]);
  });

  it('is not disturbed by a value that is invalid', async () => {
    const etcd = new FakeCluster({ '/db': { host: 'a' } });
    const module = await compile(etcd, [poolOf()]);
    const pool = liveOf(module).value;
    etcd.put('/db', { host: 1 });
    await settled(etcd);

    expect([liveOf(module).value === pool, pool.isEnded, liveOf(module).state]).toEqual([true, false, 'current']);
  });

  it.each<[string, object, ConfigDefinition]>([
    [
      'a schema',
      { config: Flag, create: ({ on }: { on: boolean }) => new Pool(String(on)) },
      { key: '/x', schema: Flag },
    ],
    ['a default', {}, { key: '/none', type: Database, default: { host: 'true' } }],
    [
      'one key of a prefix',
      { config: [Flag, { under: '/', key: 'x' }], create: ({ on }: { on: boolean }) => new Pool(String(on)) },
      { prefix: '/', schema: Flag },
    ],
    [
      'the map of a prefix',
      {
        config: [Flag, { under: '/' }],
        create: (flags: ReadonlyMap<string, { on: boolean }>) => new Pool(String(flags.get('x')?.on)),
      },
      { prefix: '/', schema: Flag },
    ],
  ])('follows %s', async (_, options, definition) => {
    const etcd = new FakeCluster({ '/x': { on: true } });
    const module = await compile(etcd, [poolOf(options)], { configs: [definition] });

    expect(liveOf(module).value.name).toBe('true');
  });

  it('follows a definition of forFeature where forRoot is not global, and one that useFactory returns', async () => {
    const etcd = new FakeCluster({ '/db': { host: 'a' }, '/limit': { count: 3 } });
    const root = EtcdTriggerModule.forRootAsync({
      isGlobal: false,
      useFactory: () => ({ client: etcd, logger: quiet, configs: [{ key: '/limit', type: Limit }] }),
    });
    @Module({
      imports: [EtcdTriggerModule.forFeature([{ key: '/db', type: Database }])],
      providers: [
        poolOf(),
        liveProvider({ provide: 'limits', config: Limit, create: ({ count }) => new Pool(String(count)) }),
      ],
    })
    class FeatureModule {}
    const module = await Test.createTestingModule({ imports: [root, FeatureModule] }).compile();
    opened.push(await module.init());

    expect([liveOf(module).value.name, liveOf(module, 'limits').value.name]).toEqual(['a', '3']);
  });

  it('follows the definitions of several clusters', async () => {
    const [first, second] = [new FakeCluster({ '/db': { host: 'a' } }), new FakeCluster({ '/db': { host: 'b' } })];
    const other = EtcdTriggerModule.forRoot({
      cluster: 'other',
      client: second,
      logger: quiet,
      configs: [{ key: '/db', type: Database }],
    });
    const module = await compile(first, [poolOf(), poolOf({ provide: 'other', cluster: 'other' })], {
      imports: [other],
    });
    second.put('/db', { host: 'c' });
    await settled(second);

    expect([liveOf(module).value.name, liveOf(module, 'other').value.name]).toEqual(['a', 'c']);
    const pools = [liveOf(module).value, liveOf(module, 'other').value];
    await module.close();
    expect(pools.map(({ isEnded }) => isEnded)).toEqual([true, true]);
  });

  it('works in a module that is loaded lazily, and is disposed with the application', async () => {
    const etcd = new FakeCluster({ '/db': { host: 'a' } });
    @Module({ providers: [poolOf()] })
    class LazyModule {}
    const module = await compile(etcd, []);
    const lazy = await module.get(LazyModuleLoader).load(() => LazyModule);
    const live = lazy.get<Live<Pool>>(POOL);
    etcd.put('/db', { host: 'b' });
    await settled(etcd);
    const pool = live.value;
    expect([pool.name, pool.isEnded]).toEqual(['b', false]);
    await module.close();

    expect(pool.isEnded).toBe(true);
  });

  it('can be injected into a request-scoped controller: every request has the same resource', async () => {
    @Controller({ scope: Scope.REQUEST })
    class Requests {
      constructor(@Inject(POOL) readonly live: Live<Pool>) {}
      @Get()
      name(): string {
        return this.live.value.name;
      }
    }
    const module = await compile(new FakeCluster({ '/db': { host: 'a' } }), [poolOf(), Requests]);
    const [one, two] = [await module.resolve(Requests), await module.resolve(Requests)];

    expect([one === two, one.live === two.live]).toEqual([false, true]);
  });

  it('disposes at shutdown, while the store can still be used', async () => {
    const etcd = new FakeCluster({ '/db': { host: 'a' } });
    const seen: string[] = [];
    const module = await compile(etcd, [
      poolOf({
        dispose: async (pool) => {
          await module.get(StoreService).put('/db', { host: 'ended' });
          seen.push(`disposed ${pool.name}`);
        },
      }),
    ]);
    await module.close();

    expect([seen, etcd.get('/db')?.value.toString()]).toEqual([['disposed a'], '{"host":"ended"}']);
  });

  it('lets the handlers that drain at shutdown use the resource', async () => {
    const etcd = new FakeCluster({ '/db': { host: 'a' } });
    const seen: string[] = [];
    @Injectable()
    class Last {
      constructor(@Inject(POOL) private readonly live: Live<Pool>) {}
      async beforeApplicationShutdown(): Promise<void> {
        seen.push(await this.live.use(({ name, isEnded }) => `${name} ${String(isEnded)}`));
      }
    }
    const module = await compile(etcd, [poolOf(), Last]);
    await module.close();

    expect(seen).toEqual(['a false']);
  });

  describe('stops the start', () => {
    const refused = async (
      providers: Parameters<typeof compile>[1],
      configs: ConfigDefinition[] = [DATABASE],
    ): Promise<unknown> => {
      const started = await compile(new FakeCluster({ '/db': { host: 'a' } }), providers, { configs }).catch(
        (error: unknown) => error,
      );
      return started;
    };

    it('if create fails, and disposes the resources of the others', async () => {
      const pools: Pool[] = [];
      const error = await refused([
        poolOf({
          create: ({ host }) => {
            const pool = new Pool(host);
            pools.push(pool);
            return pool;
          },
        }),
        poolOf({ provide: 'slow', create: (_, { signal }) => new Promise((_, reject) => (signal.onabort = reject)) }),
        poolOf({
          provide: 'other',
          create: async () => {
            await eventually(() => pools.length === 1);
            throw new RangeError('hunter2');
          },
        }),
      ]);

      expect(error).toMatchObject({ code: 'ETCD_BOOT', problems: [{ subject: 'other', reason: 'failed' }] });
      expect((error as Error).message).toMatch(/^the application cannot start: other: create failed: RangeError at /);
      expect((error as Error).message).not.toContain('hunter2');
      expect(pools.map(({ isEnded }) => isEnded)).toEqual([true]);
    });

    it('if there is no value', async () => {
      expect(
        await refused([poolOf({ config: [Database, '/none'] })], [{ key: '/none', type: Database }]),
      ).toMatchObject({
        message:
          'the application cannot start: POOL: Database at "/none" has no value: write one, or give its definition a "default" or "required"',
      });
    });

    it.each<[string, Parameters<typeof poolOf>[0], ConfigDefinition[], string]>([
      ['there is no definition', {}, [], 'POOL follows Database, which has no definition: add '],
      [
        'it follows the keys of a prefix as one configuration',
        {},
        [{ prefix: '/', type: Database }],
        'POOL follows prefix "/" as one configuration: use [Database, { under: "/" }] for the map of its keys',
      ],
      [
        'its cluster does not exist',
        { cluster: 'nowhere' },
        [],
        'POOL follows the cluster "nowhere", but its module sees no EtcdTriggerModule.forRoot or forFeature of that cluster: import one',
      ],
    ])('if %s', async (_, options, configs, message) => {
      const error = (await refused([poolOf(options)], configs)) as Error;

      expect(error).toMatchObject({ code: 'ETCD_INVALID_OPTIONS' });
      expect(error.message.slice(0, message.length)).toBe(message);
    });
  });

  it('refuses a dependency that is request-scoped, at startup', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class PerRequest {}
    const started = compile(new FakeCluster({ '/db': { host: 'a' } }), [
      PerRequest,
      poolOf({ inject: [PerRequest] as never }),
    ]);

    await expect(started).rejects.toThrow(
      'POOL depends on a request-scoped provider, so each request would create a resource: inject only singletons',
    );
  });

  it.each<[string, object]>([
    ['"creat" of liveProvider POOL is not an option: did you mean "create"?', { creat: 1 }],
    ['"create" of liveProvider POOL must be a function', { create: undefined }],
    ['"dispose" of liveProvider POOL must be a function', { dispose: 'end' }],
    ['"inject" of liveProvider POOL must be an array of tokens', { inject: Names }],
    ['"provide" of liveProvider must be a token: a class, a symbol or a string', { provide: undefined }],
    ['"cluster" of liveProvider POOL must be a string', { cluster: 1 }],
    ['"drainMs" of liveProvider POOL must be a number of milliseconds from 0 to 2147483647', { drainMs: '1s' }],
    [
      '"createTimeoutMs" of liveProvider POOL must be a number of milliseconds from 1 to 2147483647',
      { createTimeoutMs: 0 },
    ],
    [
      'a configuration cannot be injected, because its type is undefined: check for a circular import',
      { config: undefined },
    ],
  ])('refuses an invalid option: %s', (message, options) => {
    expect(() => poolOf(options)).toThrow(message);
  });

  it('can be replaced in a test as any provider', async () => {
    const etcd = new FakeCluster();
    const root = EtcdTriggerModule.forRoot({ client: etcd, logger: quiet, configs: [{ key: '/db', type: Database }] });
    const fake: Pick<Live<string>, 'use'> = { use: async (run) => run('fake') };
    const module = await Test.createTestingModule({ imports: [root], providers: [poolOf()] })
      .overrideProvider(POOL)
      .useValue(fake)
      .compile();
    opened.push(await module.init());

    expect(await module.get<Live<string>>(POOL).use((pool) => pool)).toBe('fake');
    expect(module.get<StoreService>(getStoreToken()).status).toBe('ready');
  });
});
