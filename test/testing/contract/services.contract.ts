import { IsInt, IsString, Min, ValidatorConstraint, Validate } from 'class-validator';
import {
  ClusterServices,
  ConnectionClosedError,
  InvalidConfigError,
  InvalidOptionsError,
  WatcherService,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { startApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';
import { recordsUnder } from './records-under.js';

class Instance {
  @IsString() host!: string;
  @IsInt() @Min(1) port!: number;

  get address(): string {
    return `${this.host}:${this.port}`;
  }
}

@ValidatorConstraint({ async: true })
class IsEvenLater {
  async validate(value: unknown): Promise<boolean> {
    await Promise.resolve();
    return typeof value === 'number' && value % 2 === 0;
  }
}

class SlowInstance {
  @Validate(IsEvenLater) port!: number;
}

const instance = (host: string, port = 80): Instance => Object.assign(new Instance(), { host, port });

export function servicesContract(cluster: () => ContractCluster): void {
  describe('services', () => {
    let prefix = '';
    const start = async () => {
      const coordination = { prefix, ttlSeconds: 5 };
      const { app, ...rest } = await startApp({ hosts: '', client: cluster().client, coordination });
      return { ...rest, services: app.get(ClusterServices), watcher: app.get(WatcherService) };
    };
    const beginTest = (name: string): void => {
      prefix = `/services/${name}`;
    };
    const keyOf = (id: string): string => `${prefix}/v1/services/shop/${id}`;

    it('are typed, sorted, frozen lists that follow registrations, updates and ends', async () => {
      beginTest('list');
      await using first = await start();
      const second = await start();
      const list = first.services.follow('shop', Instance);
      const seen: string[] = [];
      list.changes$.subscribe({
        next: (value) => seen.push(value.map(({ address }) => address).join()),
        complete: () => seen.push('complete'),
      });
      const addresses = (): string => list.value.map(({ address }) => address).join();
      expect(list.value).toEqual([]);

      const b = await first.services.register('shop', instance('b'), { id: 'b' });
      await eventually(() => addresses() === 'b:80');
      const a = await second.services.register('shop', { host: 'a', port: 1 }, { id: 'a' });
      await eventually(() => addresses() === 'a:1,b:80');
      const { value } = list;
      expect(value.every((each) => each instanceof Instance && Object.isFrozen(each))).toBe(true);
      expect([Object.isFrozen(value), list.value === value]).toEqual([true, true]);
      expect([b.service, b.id]).toEqual(['shop', 'b']);

      await b.update(instance('b', 81));
      await eventually(() => addresses() === 'a:1,b:81');
      await b.close();
      await eventually(() => addresses() === 'a:1');
      await first.services.register('shop', instance('c'));
      await eventually(() => list.value.length === 2);
      await second[Symbol.asyncDispose]();
      await eventually(() => addresses() === 'c:80');
      await a.close();
      list.close();
      list.close();
      expect(addresses()).toBe('c:80');
      expect(seen.slice(-2)).toEqual(['c:80', 'complete']);
      expect(seen.indexOf('a:1,b:81')).toBeGreaterThan(seen.indexOf('a:1,b:80'));
    });

    it('leave invalid values out, until they are valid', async () => {
      beginTest('invalid');
      await using app = await start();
      await cluster().write({ [keyOf('bad')]: '{"host":"x"}', [keyOf('broken')]: '{', [keyOf('odd')]: '{"port":3}' });
      const list = app.services.follow('shop', Instance);
      const slow = app.services.follow('shop', SlowInstance);
      await cluster().write({ [keyOf('good')]: '{"host":"good","port":2}' });
      await eventually(() => list.value.length === 1 && slow.value.length === 1);
      await cluster().write({ [keyOf('bad')]: '{"host":"mended","port":4}' });
      await eventually(() => list.value.length === 2 && slow.value.length === 2);
      expect(list.value.map(({ host }) => host)).toEqual(['mended', 'good']);
      expect(slow.value.map(({ port }) => port)).toEqual([4, 2]);
    });

    it('are registered again when their key is deleted or their lease is lost', async () => {
      beginTest('again');
      await using app = await start();
      await app.services.register('shop', instance('a'), { id: 'a' });
      const { lease } = await app.watcher.get(keyOf('a'));
      await cluster().revokeLease(lease ?? '');
      await cluster().pass(2_000);
      await eventually(async () => {
        const [found] = await recordsUnder(cluster(), keyOf('a'));
        return found?.lease !== undefined && found.lease !== lease;
      });
      await cluster().write({ [keyOf('a')]: undefined });
      await cluster().pass(2_000);
      await eventually(async () => (await recordsUnder(cluster(), keyOf('a'))).length === 1);
    });

    it('wait for the end of another process with the same id', async () => {
      beginTest('taken');
      const first = await start();
      await using second = await start();
      await first.services.register('shop', instance('first'), { id: 'one' });
      const registering = second.services.register('shop', instance('second'), { id: 'one' });
      await first[Symbol.asyncDispose]();
      await registering;
      expect((await second.watcher.get(keyOf('one'))).value.toString()).toBe('{"host":"second","port":80}');
    });

    it('say that a registration was closed while it waited', async () => {
      beginTest('closed');
      await using first = await start();
      const second = await start();
      await first.services.register('shop', instance('first'), { id: 'one' });
      const refused = expect(second.services.register('shop', instance('second'), { id: 'one' })).rejects.toThrow(
        new ConnectionClosedError('the registration of "one" as "shop" was closed before etcd had confirmed it'),
      );
      await second[Symbol.asyncDispose]();
      await refused;
    });

    it('refuse what is not valid', async () => {
      beginTest('refused');
      const app = await start();
      const { services } = app;
      const registration = await services.register('shop', instance('a'), { id: 'a' });
      const revision = await cluster().revision();

      await expect(services.register('shop', instance('a', 0))).rejects.toThrow(InvalidConfigError);
      await expect(services.register('shop', { send: () => 1 })).rejects.toThrow(InvalidConfigError);
      await expect(services.register('shop', undefined as unknown as object)).rejects.toThrow(InvalidConfigError);
      await expect(services.register('shop', [] as object)).rejects.toThrow(InvalidConfigError);
      await expect(registration.update(instance('a', -1))).rejects.toThrow(/"shop" is not valid: port \[min\]$/);
      await expect(services.register('a/b', instance('a'))).rejects.toThrow(InvalidOptionsError);
      await expect(services.register('shop', instance('a'), { id: 'a/b' })).rejects.toThrow(InvalidOptionsError);
      await expect(services.register('shop', instance('a'), { id: 'a' })).rejects.toThrow(/already registered/);
      expect(() => services.follow('', Instance)).toThrow(InvalidOptionsError);
      expect(() => services.follow('shop', Object)).toThrow(/no class-validator constraint/);
      expect(await cluster().revision()).toBe(revision);

      await registration.close();
      await expect(registration.update(instance('a'))).rejects.toThrow(InvalidOptionsError);
      await services.register('shop', instance('a'), { id: 'a' });
      await app[Symbol.asyncDispose]();
      await expect(services.register('shop', instance('a'))).rejects.toThrow(ConnectionClosedError);
      expect(() => services.follow('shop', Instance)).toThrow(ConnectionClosedError);
    });
  });
}
