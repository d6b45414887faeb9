import { inspect } from 'node:util';
import { Transform, Type } from 'class-transformer';
import { IsArray, IsInt, IsOptional, IsString, MinLength, ValidateNested } from 'class-validator';
import {
  type ConfigDefinition,
  EtcdTriggerInspector,
  InvalidOptionsError,
  type ReferenceOptions,
} from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';

class Replica {
  @IsString() host!: string;
  @IsString() password!: string;
}
class Database {
  @IsString() host!: string;
  @IsString() @MinLength(3) password!: string;
  @IsOptional() @IsString() @Transform(({ value }) => (value as string).trim(), { toClassOnly: true }) trimmed?: string;
  @IsOptional() @IsInt() size?: number;
  @IsOptional() @IsArray() keys?: string[];
  @IsOptional() @ValidateNested({ each: true }) @Type(() => Replica) replicas?: Replica[];
}

/** A vault with secrets by reference. */
class Vault {
  readonly secrets = new Map([
    ['vault:db', 'sesame-db'],
    ['vault:replica', 'sesame-replica'],
    ['vault:spaces', '  sesame-spaces '],
  ]);
  isAvailable = true;
  calls = 0;

  readonly resolve: ReferenceOptions = {
    pattern: /^vault:/g,
    refreshMs: 15,
    get: async (reference) => {
      this.calls += 1;
      await Promise.resolve();
      const secret = this.secrets.get(reference);
      if (!this.isAvailable || secret === undefined) throw new RangeError(`no sesame for ${reference}`);
      return secret;
    },
  };
}

const start = (cluster: FakeCluster, vault: Vault, more: object = {}) => {
  const configs: ConfigDefinition[] = [
    { key: '/db', type: Database, resolve: vault.resolve },
    { prefix: '/dbs/', type: Database, resolve: vault.resolve },
    { key: '/token', schema: z.object({ token: z.string() }), resolve: vault.resolve },
    { key: '/late', type: Database, resolve: vault.resolve, default: { host: 'd', password: 'vault:db' } },
  ];
  return startApp({ hosts: '', client: cluster, configs, ...more });
};
const DB = { host: 'a', password: 'vault:db', unknown: 'vault:nothing' };

describe('references to secrets', () => {
  it('are resolved while parsing, in nested parts, lists, schemas and defaults, and masked', async () => {
    const vault = new Vault();
    const cluster = new FakeCluster({
      '/db': { ...DB, keys: ['x', 'vault:db'], replicas: [{ host: 'r', password: 'vault:replica' }] },
      '/token': { token: 'vault:db' },
    });
    const logger = new CollectingLogger();
    await using app = await start(cluster, vault, { logger });
    const config = app.store.getOrThrow('/db', Database);

    expect(config).toEqual({
      host: 'a',
      password: 'sesame-db',
      keys: ['x', 'sesame-db'],
      replicas: [{ host: 'r', password: 'sesame-replica' }],
    });
    expect(app.store.get('/late', Database)?.password).toBe('sesame-db');
    const effective = app.app.get(EtcdTriggerInspector).effective();
    const outputs = [config, config.keys, config.replicas, effective].flatMap((value) => [
      JSON.stringify(value),
      inspect(value, { depth: 9, showHidden: true }),
    ]);
    expect(outputs.join('\n') + logger.text).not.toContain('sesame');
    expect(JSON.parse(JSON.stringify(config))).toMatchObject({ host: 'a', password: '***', keys: '***' });
    expect(effective).toContainEqual(expect.objectContaining({ key: '/token', value: { token: '***' } }));
  });

  it('are refreshed behind an unchanged document, and a change of the secret is a change', async () => {
    const vault = new Vault();
    const cluster = new FakeCluster({ '/db': DB });
    await using app = await start(cluster, vault);
    const changes: unknown[] = [];
    app.store.onChange('/db', ({ changedPaths, origin }) => changes.push([origin, changedPaths]));
    const before = app.store.getOrThrow('/db', Database);
    const { calls } = vault;

    await eventually(() => vault.calls > calls + 3);
    expect(app.store.get('/db', Database)).toBe(before);
    vault.secrets.set('vault:db', 'rotated');
    await eventually(() => app.store.get('/db', Database)?.password === 'rotated');
    await eventually(() => app.store.get('/late', Database)?.password === 'rotated');
    expect(changes).toEqual([
      ['initial', ['']],
      ['live', ['password']],
    ]);
    expect(app.store.entry('/db', Database)).toMatchObject({ state: 'valid', revision: cluster.revision });
  });

  it('keep the last good secret while the source fails: one warning, stale, until it works again', async () => {
    const vault = new Vault();
    const logger = new CollectingLogger();
    const cluster = new FakeCluster({ '/db': DB });
    await using app = await start(cluster, vault, { logger });
    const inspector = app.app.get(EtcdTriggerInspector);
    const secrets = (): unknown => inspector.describe().clusters[0]?.store.definitions[0]?.secrets;

    vault.isAvailable = false;
    await eventually(() => app.store.status === 'stale');
    const { calls } = vault;
    await eventually(() => vault.calls > calls + 2);
    expect([app.store.get('/db', Database)?.password, secrets()]).toEqual(['sesame-db', 'kept']);
    // A new document with a reference in memory is valid.
    await app.store.put('/db', Database, { host: 'b', password: 'vault:db' });
    expect(app.store.get('/db', Database)?.host).toBe('b');
    vault.isAvailable = true;
    await eventually(() => app.store.status === 'ready');
    const lines = logger.lines.filter(({ text }) => text.includes('key "/db": secrets'));
    expect(lines.map(({ level }) => level)).toEqual(['warn', 'log']);
    expect(lines[0]?.text).toMatch(/secrets cannot be refreshed; the last good ones stay: RangeError/);
    expect(secrets()).toBe('current');
    expect(logger.text).not.toContain('sesame');
  });

  it('refuse a value that cannot be resolved, and accept it as soon as it can', async () => {
    const vault = new Vault();
    const logger = new CollectingLogger();
    const cluster = new FakeCluster({ '/db': DB });
    await using app = await start(cluster, vault, { logger });

    const { revision } = cluster.put('/db', { host: 'b', password: 'vault:new' });
    await app.store.waitForRevision(revision);
    expect(app.store.entry('/db', Database)).toMatchObject({
      state: 'invalid',
      value: { host: 'a' },
      violations: [{ path: 'password', constraints: ['resolve'] }],
    });
    await expect(app.store.put('/db', Database, { host: 'c', password: 'vault:newer' })).rejects.toThrow('resolve');
    vault.secrets.set('vault:new', 'sesame-new');
    await eventually(() => app.store.get('/db', Database)?.password === 'sesame-new');
    expect(app.store.entry('/db', Database)).toMatchObject({ state: 'valid', revision });
    expect(logger.text).toContain('log "/db" is valid again');
  });

  it('keep the last good value if a new secret makes it invalid', async () => {
    const vault = new Vault();
    await using app = await start(new FakeCluster({ '/db': DB }), vault);

    vault.secrets.set('vault:db', '-');
    await eventually(() => app.store.status === 'stale');
    expect(app.store.get('/db', Database)?.password).toBe('sesame-db');
    vault.secrets.set('vault:db', 'longer');
    await eventually(() => app.store.get('/db', Database)?.password === 'longer');
    await eventually(() => app.store.status === 'ready');
  });

  it('stay in the document, whatever is written', async () => {
    const vault = new Vault();
    const replicas = [
      { host: 'r', password: 'vault:replica' },
      { host: 's', password: 'plain' },
    ];
    const document = { ...DB, trimmed: 'vault:spaces', keys: ['x', 'vault:db'], replicas };
    const cluster = new FakeCluster({ '/db': document, '/token': { token: 'vault:db' } });
    await using app = await start(cluster, vault);
    const { store } = app;
    const current = store.getOrThrow('/db', Database);
    const known = { ...document, unknown: undefined };
    const asPlain = Object.assign({}, current);

    await store.update('/db', Database, (value) => Object.assign({}, value as Database, { size: 1 }));
    expect(cluster.json('/db')).toEqual({ ...document, size: 1 });
    for (const value of [current, asPlain]) {
      await store.put('/db', Database, value);
      expect(cluster.json('/db')).toEqual(known);
    }
    await store.put('/db', asPlain);
    await store.transaction((tx) => {
      tx.put('/db', Object.assign({}, asPlain, { replicas: [...(current.replicas ?? [])].reverse() }));
    });
    expect(cluster.json('/db')).toEqual({ ...known, replicas: [...replicas].reverse() });
    vault.secrets.set('vault:db', 'rotated');
    await eventually(() => store.get('/db', Database)?.password === 'rotated');
    await store.put('/db', Database, current);
    expect(cluster.json('/db')).toEqual(known);
    const refused = [
      Object.assign({}, asPlain, { host: `postgres://${current.password}@h` }),
      { ...(JSON.parse(JSON.stringify(current)) as object), keys: [] },
    ];
    for (const value of refused)
      await expect(store.put('/db', Database, value as Database)).rejects.toThrow(/resolvedSecret|masked/);

    expect(cluster.keys().map((key) => cluster.text(key)).join('\n')).not.toMatch(/sesame-(db|replica|spaces)/); // prettier-ignore
  });

  it('end their calls by the limit, with an aborted signal, and by the end of the application', async () => {
    const signals: AbortSignal[] = [];
    const resolve: ReferenceOptions = {
      pattern: /^vault:/,
      get: (_, { signal }): Promise<string> => {
        signals.push(signal);
        return signals.length === 1 ? Promise.resolve('sesame') : new Promise<never>(() => undefined);
      },
      refreshMs: 10,
    };
    const configs = [{ key: '/db', type: Database, resolve }];
    const started = await startApp({ hosts: '', client: new FakeCluster({ '/db': DB }), configs });
    await eventually(() => signals.length === 2);
    await started.app.close();

    expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  });

  it.each<[unknown, RegExp]>([
    [{ pattern: 'vault:', get: () => '' }, /must be \{ pattern, get \}/],
    [{ pattern: /a/ }, /must be \{ pattern, get \}/],
    [{ pattern: /a/, get: () => '', refreshMs: 0 }, /"resolve.refreshMs" of key "\/db"/],
    [{ pattern: /a/, get: () => '', refresh: 1 }, /resolve.refresh/],
  ])('are refused with invalid options: %j', async (resolve, message) => {
    const starting = startApp({
      hosts: '',
      client: new FakeCluster(),
      configs: [{ key: '/db', type: Database, resolve: resolve as never }],
    });

    await expect(starting).rejects.toThrow(InvalidOptionsError);
    await expect(starting).rejects.toThrow(message);
  });
});
