import { Injectable, Scope, type Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import {
  Delivery,
  type DeliveryContext,
  EtcdTriggerModule,
  getGroupRegistryToken,
  type GroupRegistry,
  KeyParam,
  Payload,
  type WatchEvent,
  WatchKey,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { quiet } from '../../support/quiet-logger.js';
import { groupHandlerOf, startInstance } from './group-app.js';

class Effect {
  @IsInt() count!: number;
}

const configs = [{ prefix: '/effects/', type: Effect }];
describe('a group', () => {
  it('of a named cluster keeps its cursor, its effects and its parked events there', async () => {
    const home = new FakeCluster({ '/orders/home': '1' });
    const eu = new FakeCluster({ '/orders/eu': '1', '/orders/broken': '1' });
    @Injectable()
    class Orders {
      @WatchKey('/orders/', { cluster: 'eu', group: 'billing', onExhausted: 'park' })
      async on({ key }: WatchEvent, context: DeliveryContext): Promise<void> {
        if (key === '/orders/broken') throw new TypeError('broken');
        await context.commit((tx) => {
          tx.put(`/effects${key}`, { count: 2 });
        });
      }

      @WatchKey('/orders/', { group: 'billing' })
      async onHome({ key }: WatchEvent, context: DeliveryContext): Promise<void> {
        await context.commit((tx) => {
          tx.put(`/effects${key}`, { count: 1 });
        });
      }
    }
    const { app, [Symbol.asyncDispose]: close } = await startApp(home, eu, Orders);
    await settled(app);
    expect([home.keys('/effects/'), eu.keys('/effects/')]).toEqual([['/effects/orders/home'], ['/effects/orders/eu']]);
    expect(home.json('/effects/orders/home')).toEqual({ count: 1 });
    expect(eu.json('/effects/orders/eu')).toEqual({ count: 2 });
    const registry = app.get<GroupRegistry>(getGroupRegistryToken('eu'));
    expect(await registry.parked('billing')).toMatchObject([{ key: '/orders/broken' }]);
    expect(await app.get<GroupRegistry>(getGroupRegistryToken()).parked('billing')).toEqual([]);
    await registry.reset('billing', { from: 'now' });
    await settled(app);
    eu.put('/orders/later', '1');
    home.put('/orders/other', '1');
    await eventually(() => eu.json('/effects/orders/later') !== undefined);
    await settled(app);
    expect(home.keys('/effects/')).toEqual(['/effects/orders/home', '/effects/orders/other']);
    await close();
    expect(home.keys('/co/v1/groups/billing/owners/')).toEqual([]);
    expect(eu.keys('/co/v1/groups/billing/owners/')).toEqual([]);
  });

  it('calls a method with decorated parameters, one of which is the context of the call', async () => {
    const fake = new FakeCluster({ '/orders/a': '{"count":1}' });
    const seen: unknown[] = [];
    @Injectable()
    class Orders {
      @WatchKey('/orders/:id', { group: 'billing', type: Effect })
      async on(
        @KeyParam('id') id: string,
        @Payload() order: Effect | undefined,
        @Delivery() { attempt, fence, redelivered, commit }: DeliveryContext,
      ): Promise<void> {
        seen.push({ id, attempt, redelivered, held: fence?.held });
        await commit((tx) => {
          tx.put(`/effects/${id}`, { count: (order?.count ?? 0) + 1 });
        });
      }
    }
    await using instance = await startInstance(fake, Orders, { configs });
    await settled(instance.app);
    expect(fake.json('/effects/a')).toEqual({ count: 2 });
    expect(seen).toEqual([{ id: 'a', attempt: 1, redelivered: false, held: true }]);
  });

  it('below a key prefix shares nothing with the group of another prefix', async () => {
    const fake = new FakeCluster({ '/one/orders/a': '1', '/two/orders/b': '1' });
    const group = { name: 'billing', partitions: 2, remember: 'keys' } as const;
    const keys: string[] = [];
    const provider = groupHandlerOf(
      async ({ key }, context) => {
        keys.push(key);
        await context.commit((tx) => {
          tx.put(`/effects${key}`, { count: 1 });
        });
      },
      { group },
    );
    const start = (keyPrefix: string) => startInstance(fake, provider, { configs, keyPrefix, settle: false });
    const one = await start('/one');
    await using two = await start('/two');
    await settled(fake);
    expect(fake.keys('/one/effects/')).toEqual(['/one/effects/orders/a']);
    expect(fake.keys('/two/effects/')).toEqual(['/two/effects/orders/b']);
    await one[Symbol.asyncDispose]();
    fake.put('/one/orders/a', '2');
    fake.delete('/one/orders/a');
    fake.compact();
    fake.put('/two/orders/b', '2');
    await settled(two.app);
    keys.length = 0;
    await using again = await start('/one');
    await settled(again.app);
    // The deletion that only the remembered keys show.
    expect(keys).toEqual(['/orders/a']);
    expect(fake.keys('').every((key) => key.startsWith('/one/') || key.startsWith('/two/'))).toBe(true);
    expect(fake.keys('/one/co/v1/groups/billing/cursors/')).toHaveLength(2);
  });

  it('has a new instance of a request-scoped class for each attempt, with its fence and commit()', async () => {
    const fake = new FakeCluster({ '/orders/a': '7' });
    let instances = 0;
    const fences: boolean[] = [];
    @Injectable({ scope: Scope.REQUEST })
    class Orders {
      readonly number = (instances += 1);

      @WatchKey('/orders/', { group: 'billing', retry: { attempts: 3, backoff: { initialMs: 1 } } })
      async on({ key }: WatchEvent, context: DeliveryContext): Promise<void> {
        fences.push(context.fence?.held === true);
        if (this.number < 3) throw new TypeError('not yet');
        await context.commit((tx) => {
          tx.put(`/effects${key}`, { count: this.number });
        });
      }
    }
    await using one = await startInstance(fake, Orders, { configs });
    await settled(one.app);
    expect(fake.json('/effects/orders/a')).toEqual({ count: 3 });
    expect([instances, fences]).toEqual([3, [true, true, true]]);
  });
});

async function startApp(home: FakeCluster, eu: FakeCluster, provider: Type) {
  const optionsOf = (client: FakeCluster) => ({
    client,
    configs,
    logger: quiet,
    coordination: { prefix: '/co' },
    shutdown: { drainTimeoutMs: 300 },
  });
  const module = await Test.createTestingModule({
    imports: [
      EtcdTriggerModule.forRoot(optionsOf(home)),
      EtcdTriggerModule.forRoot({ cluster: 'eu', ...optionsOf(eu) }),
    ],
    providers: [provider],
  }).compile();
  const app = await module.createNestApplication({ logger: false }).init();
  return { app, [Symbol.asyncDispose]: () => app.close() };
}
