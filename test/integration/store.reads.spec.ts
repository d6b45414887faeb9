import { Type } from 'class-transformer';
import { IsInt, IsString, ValidateNested } from 'class-validator';
import { type ConfigChange, type ConfigDefinition, InvalidOptionsError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

class Pool {
  @IsInt() size!: number;
}
class Database {
  @IsString() host!: string;
  @ValidateNested() @Type(() => Pool) pool!: Pool;
}
class Limit {
  @IsInt() count!: number;
}

describe('reading the store', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  const start = (configs: ConfigDefinition[], more: object = {}) => startApp({ hosts: etcd.hosts, configs, ...more });

  describe('as a view', () => {
    it('stays at its revision after later writes', async () => {
      await put('/limits/a', { count: 1 });
      const revision = await put('/limits/b', { count: 2 });
      await using app = await start([{ prefix: '/limits/', type: Limit }]);

      const view = app.store.snapshot('/limits/');
      const a = app.store.get('/limits/a', Limit);
      await app.store.put('/limits/a', { count: 10 });
      await app.store.delete('/limits/b');
      await app.store.put('/limits/c', { count: 3 });
      const later = app.store.snapshot('/limits/');

      expect([view.revision, view.parts]).toEqual([revision, [{ target: { prefix: '/limits/' }, revision }]]);
      expect([...view.entries(Limit)]).toEqual([
        ['/limits/a', { count: 1 }],
        ['/limits/b', { count: 2 }],
      ]);
      expect(view.get('/limits/a', Limit)).toBe(a);
      expect(view.keys()).toEqual(['/limits/a', '/limits/b']);
      expect([later.revision, later.keys()]).toEqual([revision + 3, ['/limits/a', '/limits/c']]);
      expect(view.get('/limits/c', Limit)).toBeUndefined();
      expect(() => view.get('/elsewhere', Limit)).toThrow(InvalidOptionsError);
      expect(() => {
        (view.entries(Limit) as Map<string, Limit>).clear();
      }).toThrow(TypeError);
    });

    it('shows a transaction completely or not at all', async () => {
      await using app = await start([{ prefix: '/pair/', type: Limit }]);
      const torn: unknown[] = [];
      const look = (): void => {
        const view = app.store.snapshot('/pair/');
        const [a, b] = [view.get('/pair/a', Limit)?.count, view.get('/pair/b', Limit)?.count];
        if (a !== b) torn.push([view.revision, a, b]);
      };
      app.store.onChange('/pair/', look);
      for (let count = 1; count <= 30; count += 1) {
        await app.store.waitForRevision(await etcd.putTogether({ '/pair/a': { count }, '/pair/b': { count } }));
        look();
      }

      expect(app.store.snapshot().get('/pair/b', Limit)).toEqual({ count: 30 });
      expect(torn).toEqual([]);
    });

    it('of several definitions has the revision of each, and reads each key from its governing definition', async () => {
      await put('/app/db', { host: 'a', pool: { size: 1 } });
      await put('/app/x', { count: 1 });
      await using app = await start([
        { prefix: '/app/', type: Limit },
        { key: '/app/db', type: Database },
        { key: '/other', type: Limit, default: { count: 0 } },
      ]);

      const view = app.store.snapshot('/app/');

      expect(view.parts.map(({ target }) => target)).toEqual([{ prefix: '/app/' }, { key: '/app/db' }]);
      expect(view.revision).toBe(Math.min(...view.parts.map(({ revision }) => revision)));
      expect(view.keys()).toEqual(['/app/db', '/app/x']);
      expect(view.get('/app/db', Database)?.host).toBe('a');
      expect([...view.entries(Limit).keys()]).toEqual(['/app/x']);
      expect(view.get('/other', Limit)).toBeUndefined();
      expect([...app.store.snapshot().entries(Limit).keys()]).toEqual(['/app/x', '/other']);
    });
  });

  describe('through select', () => {
    it('calls the function once per state, and emits only if its result changes', async () => {
      await put('/db', { host: 'a', pool: { size: 1 } });
      await using app = await start([{ key: '/db', type: Database }]);
      let calls = 0;
      const hosts = app.store.select('/db', Database, (db) => {
        calls += 1;
        return { hosts: db ? [db.host] : [] };
      });
      const first = hosts.value;
      const received: unknown[] = [];
      hosts.changes$.subscribe((value) => received.push(value));

      await app.store.put('/db', { host: 'a', pool: { size: 2 } });
      await app.store.put('/db', { host: 'a', pool: { size: 3 } });
      expect(hosts.value).toBe(first);
      expect([calls, received]).toEqual([3, [first]]);
      await app.store.put('/db', { host: 'b', pool: { size: 3 } });
      await app.store.delete('/db');

      expect(received).toEqual([{ hosts: ['a'] }, { hosts: ['b'] }, { hosts: [] }]);
      expect([hosts.value, hosts.value === received[2], calls]).toEqual([{ hosts: [] }, true, 5]);
    });

    it('logs the error of a function by class and location, and continues with the next change', async () => {
      const log = new CollectingLogger();
      await using app = await start([{ key: '/limit', type: Limit, default: { count: 0 } }], { logger: log });
      const ratio = app.store.select('/limit', Limit, (limit) => {
        if (limit?.count === 1) throw new RangeError('SECRET');
        return limit?.count;
      });
      const received: unknown[] = [];
      ratio.changes$.subscribe((value) => received.push(value));

      await app.store.put('/limit', { count: 1 });
      expect(() => ratio.value).toThrow(RangeError);
      const late: unknown[] = [];
      ratio.changes$.subscribe((value) => late.push(value));
      await app.store.put('/limit', { count: 2 });

      expect([received, late]).toEqual([[0, 2], [2]]);
      expect(log.text).toContain('a projection of key "/limit" failed: RangeError at ');
      expect(log.text).not.toContain('SECRET');
      expect(() => app.store.select('/nowhere', Limit, String)).toThrow(InvalidOptionsError);
    });
  });

  describe('through changes', () => {
    it('reports differences by path, and ignores writes that change nothing for readers', async () => {
      await put('/db', { host: 'a', pool: { size: 1 }, unknown: 1 });
      await using app = await start([{ key: '/db', type: Database }]);
      const changes: ConfigChange<Database>[] = [];
      app.store.onChange('/db', (change) => changes.push(change), { type: Database });
      await put('/db', { pool: { size: 1 }, host: 'a' });
      await put('/db', { host: 'a', pool: { size: 1 }, unknown: 2 });
      await app.store.put('/db', { host: 'a', pool: { size: 2 } });
      const { revision } = await app.store.put('/db', { host: 'b', pool: { size: 3 } });

      expect(changes.map(({ changedPaths }) => changedPaths)).toEqual([[''], ['pool.size'], ['host', 'pool.size']]);
      const last = changes.at(-1);
      expect(last).toMatchObject({ previous: { pool: { size: 2 } }, revision, origin: 'live' });
      expect([last?.value, last?.previous, last?.previous?.pool].map((value) => Object.isFrozen(value))).toEqual([
        true,
        true,
        true,
      ]);
      expect(last?.value).toBe(app.store.get('/db', Database));
    });

    it('may be debounced: a burst is delivered as one change from the last delivered value', async () => {
      await put('/limit', { count: 0 });
      using proxy = await TcpProxy.start(etcd.first.clientPort);
      await using app = await start([{ key: '/limit', type: Limit }], { hosts: proxy.endpoint });
      const received: unknown[] = [];
      app.store.onChange<Limit>(
        '/limit',
        ({ origin, previous, value }) => received.push([origin, previous?.count, value?.count]),
        { debounceMs: 500 },
      );
      // The validator releases them together, however long writing takes.
      proxy.freeze('down');
      for (let count = 1; count <= 20; count += 1) await put('/limit', { count });
      proxy.thaw('down');
      await eventually(() => received.length === 2);

      expect(received).toEqual([
        ['initial', undefined, 0],
        ['live', 0, 20],
      ]);
    });

    it('may write to the store, and the write is delivered like any other', async () => {
      await using app = await start([{ prefix: '/limits/', type: Limit }]);
      const received: string[] = [];
      app.store.onChange<Limit>('/limits/', ({ key, value }) => {
        received.push(`${key} ${value?.count}`);
        if (value && value.count < 5) return app.store.put(key, { count: value.count + 1 });
        return undefined;
      });

      await app.store.put('/limits/a', { count: 1 });
      await eventually(() => received.length === 5);

      expect(received).toEqual(['/limits/a 1', '/limits/a 2', '/limits/a 3', '/limits/a 4', '/limits/a 5']);
    });
  });
});
