import { inspect } from 'node:util';
import { Inject, Injectable, Module, type ModuleMetadata } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { IsInt, IsString } from 'class-validator';
import {
  type ConfigRef,
  EtcdTriggerModule,
  type EtcdTriggerOptions,
  getConfigToken,
  InjectConfig,
  InvalidOptionsError,
  StoreService,
} from 'nestjs-etcd-trigger';
import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { quiet } from '../support/quiet-logger.js';

class Database {
  @IsString() host!: string;
}
class Limit {
  @IsInt() count!: number;
}
/** A different class with the same name. */
const Twin = ((): typeof Limit => {
  class Limit {
    @IsInt() count!: number;
  }
  return Limit;
})();

describe('@InjectConfig', () => {
  const etcd = ownEtcd();
  const { put } = etcd;
  let opened: { close(): Promise<void> }[] = [];

  afterEach(async () => {
    for (const app of opened) await app.close();
    opened = [];
  });

  const options = (): EtcdTriggerOptions => ({ client: { hosts: etcd.hosts }, logger: quiet });
  const start = async (metadata: ModuleMetadata) => {
    const app = await Test.createTestingModule(metadata).compile();
    opened.push(app);
    return app.init();
  };
  const failureOf = async (metadata: ModuleMetadata): Promise<Error> => {
    const outcome = await start(metadata).catch((error: unknown) => error);
    expect(outcome).toBeInstanceOf(Error);
    return outcome as Error;
  };

  it('injects one key of a prefix definition, or all with keys relative to the prefix', async () => {
    await put('/limits/a', { count: 1 });
    @Injectable()
    class Client {
      constructor(
        @InjectConfig(Limit, { under: '/limits/', key: 'a' }) readonly a: ConfigRef<Limit | undefined>,
        @InjectConfig(Limit, { under: '/limits/', key: 'b' }) readonly b: ConfigRef<Limit | undefined>,
        @InjectConfig(Limit, { under: '/limits/' }) readonly relative: ConfigRef<ReadonlyMap<string, Limit>>,
        @InjectConfig(Limit, '/limits/') readonly absolute: ConfigRef<ReadonlyMap<string, Limit>>,
        @Inject('FACTORY') readonly factory: ConfigRef<Limit | undefined>,
      ) {}
    }
    const token = getConfigToken(Limit, { under: '/limits/', key: 'c' });
    const useFactory = (limit: ConfigRef<Limit>) => limit;
    // Not global: the module that defines the prefix provides the references to its parts.
    const root = EtcdTriggerModule.forRoot({ ...options(), isGlobal: false });
    const app = await start({
      imports: [root, EtcdTriggerModule.forFeature([{ prefix: '/limits/', type: Limit }])],
      providers: [Client, { provide: 'FACTORY', inject: [token], useFactory }],
    });
    const { a, b, relative, absolute, factory } = app.get(Client);
    const seen: (number | undefined)[] = [];
    b.onChange((limit) => seen.push(limit?.count));

    expect([a.value, b.value, factory.value]).toEqual([{ count: 1 }, undefined, undefined]);
    await b.put({ count: 2 }, { ifAbsent: true });
    await factory.update((limit) => ({ count: (limit?.count ?? 2) + 1 }));

    expect([...relative.value]).toEqual([
      ['a', { count: 1 }],
      ['b', { count: 2 }],
      ['c', { count: 3 }],
    ]);
    expect([...absolute.value.keys()]).toEqual(['/limits/a', '/limits/b', '/limits/c']);
    expect(relative.value).toBe(relative.value);
    expect(() => {
      (relative.value as Map<string, Limit>).clear();
    }).toThrow('frozen');
    await eventually(() => seen.at(-1) === 2);
    await expect(b.put({ count: 3 }, { ifAbsent: true })).rejects.toThrow('"/limits/b"');
    await expect(b.put({ count: 'x' } as unknown as Limit)).rejects.toThrow('count [isInt]');
  });

  it('writes only through a reference to one key', async () => {
    const root = EtcdTriggerModule.forRoot({
      ...options(),
      configs: [
        { prefix: '/limits/', type: Limit },
        { key: '/db', type: Database },
      ],
    });
    const app = await start({ imports: [root] });
    const limits = app.get<ConfigRef<Limit>>(getConfigToken(Limit, '/limits/'));
    const projection = app.get(StoreService).select('/db', Database, (database) => ({ name: database?.host }));

    await app.get<ConfigRef<Database>>(getConfigToken(Database)).put({ host: 'a' });
    expect(projection.value).toEqual({ name: 'a' });
    await expect(limits.put({ count: 1 })).rejects.toThrow(InvalidOptionsError);
    await expect(limits.update(() => ({ count: 1 }))).rejects.toThrow(
      'update: a ConfigRef of a prefix or of a projection of prefix "/limits/" cannot be written; use StoreService.update',
    );
    await expect(projection.put({ name: 'b' })).rejects.toThrow('a projection of key "/db" cannot be written');
  });

  it('refuses a part of a definition that is wrong or does not exist, and names the solution', async () => {
    const wrong = (part: unknown) => () => getConfigToken(Limit, part as { under: string });
    @Injectable()
    class Client {
      constructor(@InjectConfig(Limit, { under: '/b', key: 'x' }) readonly limit: ConfigRef<Limit | undefined>) {}
    }
    const root = EtcdTriggerModule.forRoot({ ...options(), configs: [{ prefix: '/b/', type: Limit }] });

    expect(wrong({ key: 'a' })).toThrow('"under" of @InjectConfig must be the prefix of a definition');
    expect(wrong({ under: '/b/', key: '' })).toThrow(
      'must be a key without the prefix "/b/"; leave it out for all keys',
    );
    expect(wrong({ under: '/b/', name: 'a' })).toThrow('"name" of @InjectConfig is not an option');
    expect((await failureOf({ imports: [root], providers: [Client] })).message).toBe(
      'Client injects Limit at "/bx", which no definition of the prefix "/b" covers: add EtcdTriggerModule.forFeature([{ prefix: "/b", type: Limit }]) to the imports of its module',
    );
  });

  it('injects a configuration that is available in the constructor and always current, by key or by class', async () => {
    await put('/db', { host: 'a' });
    @Injectable()
    class Client {
      readonly first: string;
      @InjectConfig(Database, '/db') readonly again!: ConfigRef<Database>;
      constructor(@InjectConfig(Database) readonly database: ConfigRef<Database>) {
        this.first = database.value.host;
      }
    }
    const app = await start({
      imports: [EtcdTriggerModule.forRootAsync({ configs: [{ key: '/db', type: Database }], useFactory: options })],
      providers: [Client],
    });
    const client = app.get(Client);
    const store = app.get(StoreService);
    const emitted: string[] = [];
    let completed = false;
    client.database.changes$.subscribe({
      next: ({ host }) => emitted.push(host),
      complete: () => (completed = true),
    });

    expect([client.first, client.again.value.host]).toEqual(['a', 'a']);
    await store.put('/db', { host: 'b' });
    await store.put('/db', { host: 'b' });
    expect(client.database.value).toBe(store.get('/db', Database));
    expect(client.database.value).toBe(client.again.value);
    await put('/db', { host: 'c' });
    await eventually(() => client.database.value.host === 'c');
    expect(await firstValueFrom(client.database.changes$)).toEqual({ host: 'c' });
    await app.close();

    expect(emitted).toEqual(['a', 'b', 'c']);
    expect(completed).toBe(true);
  });

  it('injects all keys of a prefix as one map, which is the same object until one of them changes', async () => {
    await put('/limits/b', { count: 2 });
    await put('/limits/a', { count: 1 });
    @Injectable()
    class Limits {
      constructor(@InjectConfig(Limit, '/limits/') readonly all: ConfigRef<ReadonlyMap<string, Limit>>) {}
    }
    const app = await start({
      imports: [
        EtcdTriggerModule.forRoot({
          ...options(),
          configs: [
            { prefix: '/limits/', type: Limit },
            { key: '/db', type: Database },
          ],
        }),
      ],
      providers: [Limits],
    });
    const { all } = app.get(Limits);
    const store = app.get(StoreService);
    const before = all.value;
    const emitted: string[] = [];
    all.changes$.subscribe((limits) => emitted.push([...limits.keys()].join()));
    await store.put('/db', { host: 'a' });
    expect(all.value).toBe(before);
    await store.waitForRevision(await etcd.putTogether({ '/limits/c': { count: 3 }, '/limits/d': { count: 4 } }));

    expect([...before]).toEqual([
      ['/limits/a', { count: 1 }],
      ['/limits/b', { count: 2 }],
    ]);
    expect(() => {
      (before as Map<string, Limit>).clear();
    }).toThrow(TypeError);
    expect(emitted).toEqual(['/limits/a,/limits/b', '/limits/a,/limits/b,/limits/c,/limits/d']);
  });

  it('injects undefined or the default while a key is absent', async () => {
    const app = await start({
      imports: [
        EtcdTriggerModule.forRoot({
          ...options(),
          configs: [
            { key: '/limit', type: Limit, default: { count: 7 } },
            { key: '/db', type: Database },
          ],
        }),
      ],
    });
    const limit = app.get<ConfigRef<Limit>>(getConfigToken(Limit));
    const database = app.get<ConfigRef<Database | undefined>>(getConfigToken(Database, '/db'));
    const emitted: unknown[] = [];
    database.changes$.subscribe((value) => emitted.push(value));
    const store = app.get(StoreService);
    await store.put('/db', { host: 'a' });
    await store.delete('/db');

    expect(limit.value).toEqual({ count: 7 });
    expect(emitted).toEqual([undefined, { host: 'a' }, undefined]);
  });

  it('distinguishes classes by identity and clusters by name, and works in features with and without a global forRoot', async () => {
    await put('/one', { count: 1 });
    await put('/two', { count: 2 });
    await put('/other/one', { count: 3 });
    @Injectable()
    class Reader {
      constructor(
        @InjectConfig(Limit) readonly one: ConfigRef<Limit>,
        @InjectConfig(Twin) readonly two: ConfigRef<Limit>,
        @InjectConfig(Limit, undefined, 'other') readonly other: ConfigRef<Limit>,
        @Inject(getConfigToken(Limit, '/one')) readonly byToken: ConfigRef<Limit>,
      ) {}
    }
    @Module({
      imports: [
        EtcdTriggerModule.forFeature([
          { key: '/one', type: Limit },
          { key: '/two', type: Twin },
        ]),
        EtcdTriggerModule.forFeature([{ key: '/one', type: Limit }], 'other'),
      ],
      providers: [Reader],
    })
    class Feature {}
    const app = await start({
      imports: [
        Feature,
        EtcdTriggerModule.forRoot({ ...options(), isGlobal: false }),
        EtcdTriggerModule.forRoot({ ...options(), cluster: 'other', keyPrefix: '/other', isGlobal: false }),
      ],
    });
    const { one, two, other, byToken } = app.get(Reader, { strict: false });

    expect([one.value.count, two.value.count, other.value.count, byToken.value.count]).toEqual([1, 2, 3, 1]);
    expect([one.value instanceof Limit, two.value instanceof Twin]).toEqual([true, true]);
  });

  it('can be overridden in a test', async () => {
    @Injectable()
    class Client {
      constructor(@InjectConfig(Database, '/db') readonly database: ConfigRef<Database>) {}
    }
    const app = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot(options()), EtcdTriggerModule.forFeature([{ key: '/db', type: Database }])],
      providers: [Client],
    })
      .overrideProvider(getConfigToken(Database, '/db'))
      .useValue({ value: { host: 'test' } })
      .compile();
    opened.push(app);

    expect(app.get(Client).database.value.host).toBe('test');
  });

  describe('without its configuration, fails the start and names the solution:', () => {
    const asking = (type: typeof Database | typeof Limit, name?: string) => {
      @Injectable()
      class Client {
        constructor(@InjectConfig(type, name) readonly config: ConfigRef<object>) {}
      }
      return Client;
    };

    it.each([
      [
        'no definition at all',
        () => asking(Database, '/db'),
        [],
        'Client injects Database at "/db", which has no definition: add EtcdTriggerModule.forFeature([{ key: "/db", type: Database }]) to the imports of its module, or add the definition to "configs" next to useFactory',
      ],
      [
        'no definition with the class',
        () => asking(Database),
        [{ prefix: '/limits/', type: Limit }],
        'Client injects Database, which has no definition: add EtcdTriggerModule.forFeature([{ key: "/key", type: Database }]) to the imports of its module',
      ],
      [
        'two definitions with the class',
        () => asking(Limit),
        [
          { key: '/a', type: Limit },
          { prefix: '/b/', type: Limit },
        ],
        'Client injects Limit, which key "/a" and prefix "/b/" use: choose one, such as @InjectConfig(Limit, "/a")',
      ],
      [
        'another class',
        () => asking(Database, '/a'),
        [{ key: '/a', type: Limit }],
        'Client injects Database at "/a", but key "/a" is defined with Limit',
      ],
      [
        'a key that a prefix covers',
        () => asking(Limit, '/b/1'),
        [{ prefix: '/b/', type: Limit }],
        'Client injects Limit at "/b/1", which only prefix "/b/" covers: use @InjectConfig(Limit, { under: "/b/", key: "1" }), or add EtcdTriggerModule.forFeature([{ key: "/b/1", type: Limit }])',
      ],
    ])('%s', async (_, client, configs, sentence) => {
      const providers = [client()];

      const failure = await failureOf({ imports: [EtcdTriggerModule.forRoot({ ...options(), configs })], providers });

      expect(failure).toBeInstanceOf(InvalidOptionsError);
      expect(failure.message).toBe(sentence);
    });

    it('a dependency that Nest cannot resolve, with the line to add', async () => {
      const root = EtcdTriggerModule.forRoot({ ...options(), configs: [] });
      const failure = await failureOf({ imports: [root], providers: [asking(Database, '/later/')] });

      expect(failure.message).toContain(
        'ConfigRef of Database at "/later/", defined by EtcdTriggerModule.forFeature([{ prefix: "/later/", type: Database }])',
      );
    });

    it('an undefined class, as in a circular import', () => {
      expect(() => InjectConfig(undefined as never, '/db')).toThrow(
        'the configuration "/db" cannot be injected, because its type is undefined: check for a circular import',
      );
    });
  });

  it('accepts an ambiguous class that is not injected', async () => {
    await put('/a', { count: 1 });
    const app = await start({
      imports: [
        EtcdTriggerModule.forRoot({
          ...options(),
          configs: [
            { key: '/a', type: Limit },
            { key: '/b', type: Limit },
          ],
        }),
      ],
    });

    expect(app.get<ConfigRef<Limit>>(getConfigToken(Limit, '/a')).value).toEqual({ count: 1 });
    const ambiguous = app.get<ConfigRef<Limit>>(getConfigToken(Limit));
    expect(() => ambiguous.value).toThrow(InvalidOptionsError);
    expect(inspect(ambiguous)).not.toContain('count');
  });
});
