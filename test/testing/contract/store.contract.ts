import { Expose, Transform, Type } from 'class-transformer';
import { IsInt, IsOptional, IsString, Min, ValidateNested } from 'class-validator';
import { BootError, type ConfigChange, RevisionConflictError } from 'nestjs-etcd-trigger';
import { settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { type StartedApp, startApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';
import { failureOf } from './open-backend.js';

class Limit {
  @IsInt() @Min(1) count!: number;
}

class Route {
  @IsString() target!: string;
}
class RouteWithWeight extends Route {
  @IsOptional() @IsInt() weight?: number;
}
const plain = (value: unknown): object => JSON.parse(JSON.stringify(value)) as object;

/** The class of one version of an application. */
class Gateway {
  @Expose({ name: 'host_name' }) @IsString() host!: string;
  @Transform(({ value }) => Number.parseInt(value as string, 10) * 1000, { toClassOnly: true })
  @Transform(({ value }) => `${(value as number) / 1000}s`, { toPlainOnly: true })
  @IsInt()
  timeout!: number;
  @IsOptional() @ValidateNested() @Type(() => Route) fallback?: Route;
  @ValidateNested({ each: true }) @Type(() => Route) routes!: Map<string, Route>;
  @ValidateNested({ each: true }) @Type(() => Route) list!: Route[];
}
/** The class of the next version, which has more properties. */
class NextGateway extends Gateway {
  @IsOptional() @IsInt() rateLimit?: number;
  @IsOptional() @ValidateNested() @Type(() => RouteWithWeight) declare fallback?: RouteWithWeight;
  @ValidateNested({ each: true }) @Type(() => RouteWithWeight) declare routes: Map<string, RouteWithWeight>;
  @ValidateNested({ each: true }) @Type(() => RouteWithWeight) declare list: RouteWithWeight[];
}

export function storeContract(cluster: () => ContractCluster): void {
  const start = (prefix: string): Promise<StartedApp> =>
    startApp({ hosts: '', client: cluster().client, configs: [{ prefix, type: Limit }] });

  describe('a StoreService', () => {
    it('reads what it wrote, and knows its revision', async () => {
      await using started = await start('/st/');
      const { store } = started;
      const base = await cluster().revision();

      expect(await store.put('/st/a', { count: 1 })).toEqual({ revision: base + 1, visible: true });
      expect(store.get('/st/a', Limit)).toEqual({ count: 1 });
      expect(store.entry('/st/a', Limit)).toMatchObject({ state: 'valid', revision: base + 1, source: 'etcd' });
      await store.put('/st/a', { count: 2 }, { ifRevision: base + 1 });
      const conflict: unknown = await store.put('/st/a', { count: 3 }, { ifRevision: base + 1 }).catch(String);
      expect(conflict).toBe(
        `RevisionConflictError: "/st/a" was expected to be at revision ${base + 1}, but is at revision ${base + 2}`,
      );
      const error: unknown = await store
        .put('/st/a', { count: 3 }, { ifAbsent: true })
        .catch((reason: unknown) => reason);
      expect(error instanceof RevisionConflictError && error.current()).toEqual({ count: 2 });
      expect((await failureOf(store.put('/st/a', { count: 0 }))).name).toBe('InvalidConfigError');
      expect(await store.delete('/st/a')).toEqual({ revision: base + 3, deleted: true, visible: true });
      expect(store.keys()).toEqual([]);
    });

    it('follows what others write, one revision at once, and keeps what is good', async () => {
      await cluster().write({ '/sf/a': '{"count":1}', '/sf/b': '{"count":1}' });
      await using started = await start('/sf/');
      const { store } = started;
      const seen: string[] = [];
      store.onChange('/sf/', ({ type, key, origin }: ConfigChange) => {
        const counts = [...store.entries('/sf/', Limit).values()].map(({ count }) => count);
        seen.push(`${origin} ${type} ${key} [${counts.join()}]`);
      });
      await cluster().write({ '/sf/a': '{"count":2}', '/sf/b': '{"count":2}', '/sf/c': '{"count":2}' });
      await settled(started.app);
      await cluster().write({ '/sf/a': '{"count":-3}', '/sf/b': undefined });
      await settled(started.app);

      expect(seen).toEqual([
        'initial put /sf/a [1,1]',
        'initial put /sf/b [1,1]',
        'live put /sf/a [2,2,2]',
        'live put /sf/b [2,2,2]',
        'live put /sf/c [2,2,2]',
        'live delete /sf/b [2,2]',
      ]);
      expect(store.entry('/sf/a', Limit)).toMatchObject({
        state: 'invalid',
        violations: [{ path: 'count', constraints: ['min'] }],
      });
    });

    it('updates a document of a newer version of the class without erasing what it does not know', async () => {
      const document = {
        host_name: 'a',
        timeout: '5s',
        rateLimit: 7,
        fallback: { target: 'f', weight: 1 },
        routes: { kept: { target: 'k', weight: 2 }, removed: { target: 'r', weight: 3 } },
        list: [{ target: 'l', weight: 4 }],
      };
      await cluster().write({ '/rolling/gateway': JSON.stringify(document) });
      const version = (type: typeof Gateway): Promise<StartedApp> =>
        startApp({ hosts: '', client: cluster().client, configs: [{ key: '/rolling/gateway', type }] });
      await using older = await version(Gateway);
      await using newer = await version(NextGateway);

      await older.store.update('/rolling/gateway', Gateway, (current) => {
        if (!current) throw new Error('absent');
        const routes = new Map(current.routes);
        routes.delete('removed');
        return Object.assign({}, current, { host: 'b', routes: routes.set('added', { target: 'n' }) });
      });

      const [written] = await newer.store.history('/rolling/gateway', { limit: 1, type: NextGateway });
      expect({ ...plain(written?.value), routes: plain([...(written?.value?.routes ?? [])]) }).toEqual({
        host: 'b',
        timeout: 5000,
        rateLimit: 7,
        fallback: { target: 'f', weight: 1 },
        routes: [
          ['kept', { target: 'k', weight: 2 }],
          ['added', { target: 'n' }],
        ],
        list: [{ target: 'l' }],
      });
      await older.store.update(
        '/rolling/gateway',
        Gateway,
        (current) => Object.assign({}, current, { fallback: undefined }) as unknown as Gateway,
      );
      expect(await newer.store.fresh('/rolling/gateway', NextGateway)).toMatchObject({
        rateLimit: 7,
        fallback: undefined,
      });
      await older.store.put('/rolling/gateway', Gateway, {
        host: 'c',
        timeout: 1000,
        routes: new Map(),
        list: [],
      });
      expect(await newer.store.fresh('/rolling/gateway', NextGateway)).toEqual(
        Object.assign(new NextGateway(), { host: 'c', timeout: 1000, routes: new Map(), list: [] }),
      );
    });

    it('lays an update over the document in etcd after a conflict, and if that document is invalid', async () => {
      const key = '/laid/limit';
      await cluster().write({ [key]: '{"count":1}' });
      await using started = await start('/laid/');
      const { store } = started;

      let calls = 0;
      await store.update(key, Limit, async (current) => {
        calls += 1;
        if (calls === 1) await cluster().write({ [key]: '{"count":5,"added":"meanwhile"}' });
        return { count: (current?.count ?? 0) + 1 };
      });
      const [afterConflict] = await store.history(key, { limit: 1, type: Limit });
      await store.waitForRevision(await cluster().write({ [key]: '{"count":"x","kept":true}' }));
      await store.update(key, Limit, (current) => ({ count: (current?.count ?? 0) + 1 }));

      expect([calls, afterConflict?.value, store.get(key, Limit)]).toEqual([2, { count: 6 }, { count: 7 }]);
      expect((await started.watcher.get(key)).value.toString()).toBe('{"count":7,"kept":true}');
    });

    it('is stale while it is cut off, and complete again afterwards', async () => {
      await using started = await start('/ss/');
      const { store } = started;
      await started.app.listen(0, '127.0.0.1');
      await cluster().disconnect();
      await eventually(() => store.status === 'stale');
      const refused = await failureOf(store.put('/ss/a', { count: 1 }));
      const head = await cluster().write({ '/ss/a': '{"count":7}' });
      const meanwhile = store.keys();
      await cluster().reconnect();
      await settled(started.app);

      expect([refused.name, meanwhile]).toEqual(['ConnectionError', []]);
      expect([store.status, store.get('/ss/a', Limit)]).toEqual(['ready', { count: 7 }]);
      await store.waitForRevision(head);
    });

    it('does not start without what it needs, and says all of it', async () => {
      await cluster().write({ '/sb/bad': '{"count":"x"}' });
      const failure: unknown = await startApp({
        hosts: '',
        client: cluster().client,
        configs: [
          { key: '/sb/bad', type: Limit },
          { key: '/sb/missing', type: Limit, required: true },
        ],
      }).catch((error: unknown) => error);

      expect(failure instanceof BootError && failure.problems.map(({ subject, reason }) => [subject, reason])).toEqual([
        ['/sb/bad', 'invalid'],
        ['/sb/missing', 'missing'],
      ]);
    });

    it('does not start where nobody answers, or where it is denied', async () => {
      await cluster().disconnect();
      const unreachable = await start('/su/').catch((error: unknown) => error);
      await cluster().reconnect();
      const denied = await startApp({
        hosts: '',
        client: cluster().restrictedClient,
        configs: [{ prefix: '/denied/', type: Limit }],
      }).catch((error: unknown) => error);

      expect(
        [unreachable, denied].map((error) => error instanceof BootError && error.problems.map(({ reason }) => reason)),
      ).toEqual([['unreachable'], ['denied']]);
    });
  });
}
