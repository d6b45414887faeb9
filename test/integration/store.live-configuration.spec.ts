import { inspect } from 'node:util';
import { Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Min, registerDecorator, ValidateNested } from 'class-validator';
import {
  BootError,
  type ConfigChange,
  ConfigNotFoundError,
  ConnectionTimeoutError,
  InvalidConfigError,
  InvalidOptionsError,
  RevisionConflictError,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Pool {
  @IsInt() @Min(1) size!: number;
}
class Database {
  @IsString() host!: string;
  @IsOptional() @ValidateNested() @Type(() => Pool) pool?: Pool;
}
class Limit {
  @IsInt() count!: number;
}

describe('StoreService', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  const start = (configs: object[], more: object = {}) =>
    startApp({ hosts: etcd.hosts, configs: configs as never, ...more });

  it('returns validated, frozen instances, also nested ones, which stay the same until they change', async () => {
    await put('/db', { host: 'a', pool: { size: 2 } });
    await using app = await start([{ key: '/db', type: Database }]);
    const database = app.store.getOrThrow('/db', Database);

    expect(database).toBeInstanceOf(Database);
    expect(database.pool).toBeInstanceOf(Pool);
    expect(app.store.get('/db', Database)).toBe(database);
    expect(() => {
      (database.pool as Pool).size = 3;
    }).toThrow(TypeError);
    await put('/other', 'x');
    await app.store.put('/db', { host: 'b' });
    expect(app.store.get('/db', Database)).toEqual({ host: 'b' });
    expect(database).toEqual({ host: 'a', pool: { size: 2 } });
  });

  it('rejects keys without a definition and classes that differ from the definition, and names both', async () => {
    await using app = await start([{ key: '/db', type: Database }]);

    expect(() => app.store.get('/nowhere', Database)).toThrow(InvalidOptionsError);
    expect(() => app.store.get('/db', Limit)).toThrow(/"\/db".*Limit.*Database/);
    expect(() => app.store.getOrThrow('/db', Database)).toThrow(ConfigNotFoundError);
    await expect(app.store.put('/nowhere', {})).rejects.toThrow(/WatcherService.put/);
  });

  it('keeps the last good value when a bad one comes, says so once and without its content, and takes the next good one', async () => {
    await put('/db', { host: 'good' });
    const log = new CollectingLogger();
    await using app = await start([{ key: '/db', type: Database }], { logger: log });
    const good = app.store.get('/db', Database);
    const rejected = await put('/db', { host: 4711, pool: { size: 'SECRET' } });
    await app.store.waitForRevision(rejected);

    expect(app.store.get('/db', Database)).toBe(good);
    expect(app.store.entry('/db', Database)).toMatchObject({
      state: 'invalid',
      rejectedRevision: rejected,
      violations: [{ path: 'host', constraints: ['isString'] }, { path: 'pool.size' }],
    });
    const broken = await put('/db', '{"host": "SECRET');
    await app.store.waitForRevision(broken);
    expect(app.store.entry('/db', Database).violations).toEqual([{ path: '', constraints: ['json'] }]);
    const healed = await put('/db', { host: 'again' });
    await app.store.waitForRevision(healed);

    expect(app.store.entry('/db', Database)).toMatchObject({
      state: 'valid',
      revision: healed,
      value: { host: 'again' },
    });
    expect(log.lines.filter(({ level }) => level === 'error').length).toBe(2);
    expect(log.text).not.toMatch(/SECRET|4711/);
  });

  it('validates before it writes', async () => {
    await using app = await start([{ prefix: '/db/', type: Database }]);
    const refused = await app.store.put('/db/1', { host: 7, password: 'SECRET' }).catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(InvalidConfigError);
    expect((refused as InvalidConfigError).violations).toEqual([{ path: 'host', constraints: ['isString'] }]);
    expect(inspect(refused, { depth: Infinity, showHidden: true })).not.toContain('SECRET');
    expect(await etcd.direct.get('/db/1').string()).toBeNull();
  });

  it('shows every write of this process as soon as the write resolves', async () => {
    await using app = await start([{ prefix: '/limits/', type: Limit }]);
    for (let count = 1; count <= 200; count += 1) {
      const { revision, visible } = await app.store.put(`/limits/${count % 7}`, { count });
      expect(visible).toBe(true);
      expect(app.store.entry(`/limits/${count % 7}`, Limit)).toMatchObject({ revision, value: { count } });
    }
    expect(await app.store.delete('/limits/1')).toMatchObject({ deleted: true, visible: true });
    expect(app.store.get('/limits/1', Limit)).toBeUndefined();
    expect(await app.store.delete('/limits/1')).toMatchObject({ deleted: false });
  });

  it('writes only at the expected revision, and returns the current value in a conflict', async () => {
    await using app = await start([{ key: '/limit', type: Limit }]);
    const { revision } = await app.store.put('/limit', { count: 1 }, { ifAbsent: true });
    await app.store.put('/limit', { count: 2 }, { ifRevision: revision });
    for (const attempt of [
      () => app.store.put('/limit', { count: 3 }, { ifRevision: revision }),
      () => app.store.put('/limit', { count: 3 }, { ifAbsent: true }),
      () => app.store.delete('/limit', { ifRevision: revision }),
    ]) {
      const conflict = (await attempt().catch((error: unknown) => error)) as RevisionConflictError;
      expect(conflict).toBeInstanceOf(RevisionConflictError);
      expect(conflict.current()).toEqual({ count: 2 });
      expect(inspect(conflict, { depth: Infinity, showHidden: true })).not.toContain('count');
    }
    expect(app.store.get('/limit', Limit)).toEqual({ count: 2 });
  });

  it('waits for the writes of other clients, also if they do not change a configuration', async () => {
    await put('/quiet', { count: 1 });
    await using app = await start([
      { key: '/quiet', type: Limit },
      { prefix: '/busy/', type: Limit },
    ]);
    const revision = await put('/busy/1', { count: 2 });
    await app.store.waitForRevision(revision);
    expect(app.store.get('/busy/1', Limit)).toEqual({ count: 2 });
    const elsewhere = await put('/not/watched', 'x');
    await app.store.waitForRevision(elsewhere);

    await expect(app.store.waitForRevision(elsewhere + 5, { timeoutMs: 300 })).rejects.toThrow(ConnectionTimeoutError);
  });

  it('prefers an exact key to a prefix, and a longer prefix to a shorter one', async () => {
    await put('/app/db', { host: 'a' });
    await put('/app/limits/x', { count: 1 });
    await put('/app/limits/x/db', { host: 'b' });
    await using app = await start([
      { prefix: '/app/', type: Database, unknown: 'refuse' },
      { prefix: '/app/limits/', type: Limit },
      { key: '/app/limits/x/db', type: Database },
    ]);

    expect(app.store.keys()).toEqual(['/app/db', '/app/limits/x', '/app/limits/x/db']);
    expect(app.store.get('/app/limits/x', Limit)).toEqual({ count: 1 });
    expect(app.store.get('/app/limits/x/db', Database)).toEqual({ host: 'b' });
    expect([...app.store.entries('/app/', Database).keys()]).toEqual(['/app/db', '/app/limits/x/db']);
    expect([...app.store.entries('/app/limits/', Limit)]).toEqual([['/app/limits/x', { count: 1 }]]);
    expect(app.store.keys('/app/limits/x')).toEqual(['/app/limits/x', '/app/limits/x/db']);
  });

  it('shows all changes of one transaction in one step', async () => {
    await using app = await start([{ prefix: '/pair/', type: Limit }]);
    const torn: unknown[] = [];
    app.store.onChange('/pair/', () => {
      const [a, b] = [app.store.get('/pair/a', Limit)?.count, app.store.get('/pair/b', Limit)?.count];
      if (a !== b) torn.push([a, b]);
    });
    let last = 0;
    for (let count = 1; count <= 50; count += 1)
      last = await etcd.putTogether({ '/pair/a': { count }, '/pair/b': { count } });
    await app.store.waitForRevision(last);

    expect(app.store.get('/pair/b', Limit)).toEqual({ count: 50 });
    expect(torn).toEqual([]);
  });

  it('delivers existing configurations first and then every change; a listener that throws, closes or writes affects no other', async () => {
    await put('/l/1', { count: 1 });
    const log = new CollectingLogger();
    await using app = await start([{ prefix: '/l/', type: Limit }], { logger: log });
    const changes: ConfigChange[] = [];
    const listener = (change: ConfigChange): void => void changes.push(change);
    app.store.onChange('/l/', () => {
      throw new Error('SECRET');
    });
    const once = app.store.onChange('/l/', () => {
      once.close();
    });
    app.store.onChange('/l/', ({ key }) => {
      if (key === '/l/2') void app.store.put('/l/3', { count: 3 });
    });
    app.store.onChange('/l/', listener);
    app.store.onChange('/l/', listener);
    await put('/l/2', { count: 2 });
    await eventually(() => changes.length === 6);
    const same = await put('/l/2', { count: 2 });
    await app.store.waitForRevision(same);
    const { revision } = await app.store.delete('/l/1');

    const received = changes.filter((_, index) => changes.indexOf(changes[index] as ConfigChange) === index);
    expect(new Set(received.map(({ type, key, origin }) => `${origin} ${type} ${key}`))).toEqual(
      new Set(['initial put /l/1', 'live put /l/2', 'live put /l/3', 'live delete /l/1']),
    );
    expect(changes.length).toBe(8);
    expect(changes.at(-1)).toEqual({
      type: 'delete',
      key: '/l/1',
      previous: { count: 1 },
      changedPaths: [''],
      revision,
      origin: 'live',
    });
    expect(log.text).toContain('a listener of changes under "/l/" failed');
    expect(log.text).not.toContain('SECRET');
  });

  it('returns changes as an observable that completes with the application', async () => {
    const app = await start([{ prefix: '/l/', type: Limit }]);
    const received: string[] = [];
    let completed = false;
    app.store
      .changes$('/l/')
      .subscribe({ next: ({ key, origin }) => received.push(`${origin} ${key}`), complete: () => (completed = true) });
    await app.store.put('/l/1', { count: 1 });
    await app[Symbol.asyncDispose]();

    expect(received).toEqual(['live /l/1']);
    expect(completed).toBe(true);
  });

  it('awaits asynchronous validators at startup, on every change and before every write', async () => {
    class Checked {
      @IsEventuallyEven() count!: number;
    }
    await put('/even', { count: 2 });
    await using app = await start([{ key: '/even', type: Checked }]);
    expect(app.store.get('/even', Checked)).toEqual({ count: 2 });
    await expect(app.store.put('/even', { count: 3 })).rejects.toThrow(InvalidConfigError);
    expect(await app.store.put('/even', { count: 4 })).toMatchObject({ visible: true });
    const odd = await put('/even', { count: 5 });
    await app.store.waitForRevision(odd);
    await eventually(() => app.store.entry('/even', Checked).state === 'invalid');

    expect(app.store.get('/even', Checked)).toEqual({ count: 4 });
  });

  it('shows the default while a key is absent, and keeps the last value of a required key', async () => {
    await put('/required', { count: 1 });
    await using app = await start([
      { key: '/defaulted', type: Limit, default: { count: 10 } },
      { key: '/required', type: Limit, required: true },
    ]);
    expect(app.store.entry('/defaulted', Limit)).toMatchObject({
      value: { count: 10 },
      state: 'absent',
      source: 'default',
    });
    await app.store.put('/defaulted', { count: 11 });
    await app.store.delete('/defaulted');
    expect(app.store.get('/defaulted', Limit)).toEqual({ count: 10 });
    await app.store.delete('/required');
    expect(app.store.entry('/required', Limit)).toMatchObject({ value: { count: 1 }, state: 'kept' });
  });

  it('removes unknown properties with one warning, or rejects the value', async () => {
    await put('/strip', { count: 1, more: 'SECRET' });
    const log = new CollectingLogger();
    await using app = await start([{ key: '/strip', type: Limit }], { logger: log });
    await app.store.waitForRevision(await put('/strip', { count: 2, more: 'SECRET' }));

    expect(app.store.get('/strip', Limit)).toEqual({ count: 2 });
    const warnings = log.lines.filter(({ level }) => level === 'warn').map(({ text }) => text);
    expect(warnings.length).toBe(1);
    expect(warnings[0]).toContain('"/strip": ignored properties that its class does not know: more');
    expect(log.text).not.toContain('SECRET');
    const refused = start([{ key: '/strip', type: Limit, unknown: 'refuse' }]);
    await expect(refused).rejects.toThrow(/more \[unknown\]/);
  });

  describe('at boot', () => {
    it('names all missing and invalid configurations in one error', async () => {
      await put('/bad', { count: 'SECRET' });
      const failed = (await start([
        { key: '/bad', type: Limit },
        { key: '/missing', type: Limit, required: true },
        { prefix: '/none/', type: Limit, required: true },
      ]).catch((error: unknown) => error)) as BootError;

      expect(failed).toBeInstanceOf(BootError);
      expect(failed.problems.map(({ subject, reason }) => [subject, reason])).toEqual([
        ['/bad', 'invalid'],
        ['/missing', 'missing'],
        ['/none/', 'missing'],
      ]);
      expect(inspect(failed, { depth: Infinity })).not.toContain('SECRET');
    });

    it('fails fast if all hosts refuse connections, and at its limit if they do not answer', async () => {
      const proxy = await TcpProxy.start(etcd.first.clientPort);
      const configs = [{ key: '/limit', type: Limit }] as never;
      proxy.freeze();
      const silent = (await startApp({ hosts: proxy.endpoint, configs, boot: { timeoutMs: 700 } }).catch(
        (error: unknown) => error,
      )) as BootError;
      expect(silent.problems.map(({ reason }) => reason)).toEqual(['timeout']);
      proxy.stop();
      const refused = (await startApp({ hosts: proxy.endpoint, configs }).catch(
        (error: unknown) => error,
      )) as BootError;
      expect(refused.problems.map(({ reason }) => reason)).toEqual(['unreachable']);
    });

    it('waits for missing configurations and for etcd with the policy wait', async () => {
      const proxy = await TcpProxy.start(etcd.first.clientPort);
      proxy.refuse();
      const starting = startApp({
        hosts: proxy.endpoint,
        configs: [{ key: '/late', type: Limit, required: true }],
        boot: { policy: 'wait', timeoutMs: 30_000 },
      });
      await proxy.accept();
      await put('/late', { count: 1 });
      await using app = await starting;

      expect(app.store.get('/late', Limit)).toEqual({ count: 1 });
      expect(app.store.status).toBe('ready');
      proxy.stop();
    });

    it('starts without missing configurations with the policy degraded, and catches up later', async () => {
      await put('/there', { count: 1 });
      const proxy = await TcpProxy.start(etcd.first.clientPort);
      proxy.refuse();
      await using app = await startApp({
        hosts: proxy.endpoint,
        configs: [
          { key: '/there', type: Limit },
          { key: '/required', type: Limit, required: true },
          { key: '/defaulted', type: Limit, default: { count: 3 } },
        ],
        boot: { policy: 'degraded' },
      });
      expect(app.store.status).toBe('degraded');
      expect(app.store.get('/defaulted', Limit)).toEqual({ count: 3 });
      await proxy.accept();
      await eventually(() => app.store.get('/there', Limit)?.count === 1);
      expect(app.store.status).toBe('degraded');
      await put('/required', { count: 2 });
      await eventually(() => app.store.status === 'ready');
      expect(app.store.get('/required', Limit)).toEqual({ count: 2 });
      proxy.stop();
    });

    it('is stale while the connection is interrupted, and then ready again', async () => {
      await put('/there', { count: 1 });
      const proxy = await TcpProxy.start(etcd.first.clientPort);
      await using app = await startApp({ hosts: proxy.endpoint, configs: [{ key: '/there', type: Limit }] });
      await eventually(() => app.store.status === 'ready');
      proxy.refuse();
      proxy.cut();
      await eventually(() => app.store.status === 'stale');
      expect(app.store.get('/there', Limit)).toEqual({ count: 1 });
      await proxy.accept();
      await eventually(() => app.store.status === 'ready');
      proxy.stop();
    });
  });

  it.each([
    ['both key and prefix', { key: '/a', prefix: '/a', type: Limit }, /both key "\/a" and prefix "\/a"/],
    ['neither', { type: Limit }, /neither/],
    ['a class without constraints', { key: '/a', type: class Bare {} }, /Bare, the class of key "\/a"/],
    [
      'a default that is not valid',
      { key: '/a', type: Limit, default: { count: 'x' } },
      /"default" of key "\/a" is not valid: count \[isInt\]/,
    ],
  ])('rejects a definition with %s', async (_, definition, sentence) => {
    const failed = start([definition]);
    await expect(failed).rejects.toThrow(sentence);
    await expect(failed).rejects.toThrow(InvalidOptionsError);
  });

  it('rejects two different definitions of one target, and merges equal ones', async () => {
    await expect(
      start([
        { key: '/a', type: Limit },
        { key: '/a', type: Database },
      ]),
    ).rejects.toThrow(/key "\/a" has two different definitions, with Limit and with Database/);
    await using app = await start([
      { key: '/a', type: Limit },
      { key: '/a', type: Limit },
    ]);
    expect(app.store.keys()).toEqual([]);
  });
});

/** Resolves after a delay. */
function IsEventuallyEven(): PropertyDecorator {
  return (target, propertyName) => {
    registerDecorator({
      name: 'isEventuallyEven',
      target: target.constructor,
      propertyName: String(propertyName),
      async: true,
      validator: {
        validate: async (value: number) => {
          await new Promise((resolve) => setImmediate(resolve));
          return value % 2 === 0;
        },
      },
    });
  };
}
