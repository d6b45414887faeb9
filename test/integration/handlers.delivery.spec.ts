import { Injectable } from '@nestjs/common';
import { IsInt, IsString, Min, registerDecorator, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import {
  BootError,
  type EtcdTriggerOptions,
  Event,
  InvalidConfigError,
  Key,
  KeyParam,
  OnWatchError,
  Payload,
  Previous,
  Signal,
  type WatchBatch,
  type WatchEvent,
  type WatchFailure,
  WatchKey,
  type WatchKeyOptions,
  WatchKeyRegistry,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';

class Item {
  @IsString() sku!: string;
}
class Order {
  @IsInt() @Min(1) amount!: number;
  @ValidateNested() @Type(() => Item) item!: Item;
}
const order = (amount: unknown, more: object = {}): string => JSON.stringify({ amount, item: { sku: 'a' }, ...more });

type Provider = abstract new () => unknown;

describe('a @WatchKey method', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  const started = (Handlers: Provider, options: Partial<EtcdTriggerOptions> = {}) =>
    startApp({ hosts: etcd.hosts, ...options }, { providers: [Handlers as never] });

  describe('with a type', () => {
    it('receives validated, frozen instances, and undefined on delete', async () => {
      const seen: [Order | undefined, WatchEvent][] = [];
      class Orders {
        @WatchKey('/orders/', { type: Order })
        onOrder(value: Order | undefined, event: WatchEvent) {
          seen.push([value, event]);
        }
      }
      await put('/orders/1', order(1));
      await using running = await started(Orders);
      await running.watcher.delete('/orders/1');
      await eventually(() => seen.length === 2);

      const [first, second] = seen;
      expect(first?.[0]).toBeInstanceOf(Order);
      expect(first?.[0]).toEqual({ amount: 1, item: { sku: 'a' } });
      expect(Object.isFrozen(first?.[0]?.item)).toBe(true);
      expect([first?.[1].origin, second?.[0], second?.[1].type]).toEqual(['initial', undefined, 'delete']);
    });

    it('is not called with invalid values, which are counted and reported without their content', async () => {
      const seen: unknown[] = [];
      class Orders {
        @WatchKey('/orders/', { type: Order, retry: { attempts: 3 } })
        onOrder(value: Order | undefined) {
          seen.push(value?.amount);
        }
      }
      const logger = new CollectingLogger();
      await using running = await started(Orders, { logger });
      await put('/orders/1', order('s3cret'));
      await put('/orders/1', 's3cret');
      await put('/orders/1', order(2));
      await eventually(() => seen.length === 1);

      expect(seen).toEqual([2]);
      const [handler] = running.app.get(WatchKeyRegistry).list();
      expect([handler?.invalid, handler?.failures]).toEqual([2, 0]);
      expect(logger.lines.filter(({ level }) => level === 'warn').map(({ text }) => text.replace(/ \[.*/, ''))).toEqual(
        [
          expect.stringMatching(
            /^Orders.onOrder was not called at revision \d+: Order at key "\/orders\/1" is not valid: amount$/,
          ),
          expect.stringMatching(
            /^Orders.onOrder was not called at revision \d+: Order at key "\/orders\/1" is not valid: \(document\)$/,
          ),
        ],
      );
      expect(logger.text).toContain('amount [min, isInt]');
      expect(logger.text).not.toContain('s3cret');
    });

    it('fails without a retry if onInvalid is error', async () => {
      const failures: WatchFailure[] = [];
      class Orders {
        @WatchKey('/orders/', { type: Order, onInvalid: 'error', unknown: 'refuse', retry: { attempts: 3 } })
        onOrder() {}
        @OnWatchError('/orders/')
        onFailure(failure: WatchFailure) {
          failures.push(failure);
        }
      }
      const logger = new CollectingLogger();
      await using running = await started(Orders, { logger });
      await put('/orders/1', order(1, { more: 's3cret' }));
      await eventually(() => failures.length === 1);

      const [failure] = failures;
      expect(failure?.error).toBeInstanceOf(InvalidConfigError);
      expect(failure?.error).toMatchObject({
        key: '/orders/1',
        violations: [{ path: 'more', constraints: ['unknown'] }],
      });
      expect(failure).toMatchObject({ handler: 'Orders.onOrder', attempts: 1 });
      expect(running.app.get(WatchKeyRegistry).list()[0]).toMatchObject({ invalid: 1, failures: 1 });
      expect(logger.text).toContain('more [unknown]');
      expect(logger.text).not.toContain('s3cret');
    });

    it('receives values without unknown properties, which are reported once', async () => {
      const seen: unknown[] = [];
      class Orders {
        @WatchKey('/orders/', { type: Order })
        onOrder(value: Order | undefined) {
          seen.push(value);
        }
      }
      const logger = new CollectingLogger();
      await using running = await started(Orders, { logger });
      await running.watcher.put('/orders/1', order(1, { more: 's3cret' }));
      await running.watcher.put('/orders/2', order(1, { more: 's3cret' }));
      await eventually(() => seen.length === 2);

      expect(seen[0]).toEqual({ amount: 1, item: { sku: 'a' } });
      expect(logger.text.match(/ignored properties that Order does not know: more/g)).toHaveLength(1);
    });

    it('keeps the order of a key while a validator is slow', async () => {
      const late = (milliseconds: number) => (owner: object, propertyName: string) => {
        registerDecorator({
          name: 'late',
          async: true,
          target: owner.constructor,
          propertyName,
          validator: {
            validate: async (value: unknown) => {
              await new Promise((resolve) => setTimeout(resolve, value === 1 ? milliseconds : 0));
              return value !== 3;
            },
          },
        });
      };
      class Slow {
        @late(50) amount!: number;
      }
      const seen: unknown[] = [];
      class Orders {
        @WatchKey('/orders/', { type: Slow })
        onOrder(value: Slow | undefined) {
          seen.push(value?.amount);
        }
      }
      await using running = await started(Orders);
      for (const amount of [1, 2, 3, 4]) await running.watcher.put('/orders/1', JSON.stringify({ amount }));
      await eventually(() => seen.length === 3);

      expect(seen).toEqual([1, 2, 4]);
    });
  });

  describe('with decorated parameters', () => {
    it('receives the value of each decorator, parsed with the type', async () => {
      const seen: unknown[] = [];
      class Limits {
        @WatchKey('/tenants/:tenant/limits/:name', { type: Order })
        onLimit(
          @KeyParam('tenant') tenant: string,
          @KeyParam('name') name: string,
          @Key() key: string,
          @Payload() value: Order | undefined,
          @Previous() previous: Order | undefined,
          @Event() { type }: WatchEvent,
          @Signal() signal: AbortSignal,
        ) {
          seen.push([tenant, name, key, value?.amount, previous?.amount, type, signal.aborted]);
        }
      }
      await using running = await started(Limits);
      await running.watcher.put('/tenants/a/other', order(9));
      await running.watcher.put('/tenants/a/limits/x', order(1));
      await running.watcher.put('/tenants/a/limits/x', order(2));
      await running.watcher.put('/tenants/a/limits/x', 'not valid');
      await running.watcher.delete('/tenants/a/limits/x');
      await eventually(() => seen.length === 3);

      expect(seen).toEqual([
        ['a', 'x', '/tenants/a/limits/x', 1, undefined, 'put', false],
        ['a', 'x', '/tenants/a/limits/x', 2, 1, 'put', false],
        ['a', 'x', '/tenants/a/limits/x', undefined, undefined, 'delete', false],
      ]);
    });

    it('receives bytes without a type, and inherits parameter decorators', async () => {
      const seen: unknown[] = [];
      abstract class Base {
        @WatchKey('/raw/')
        onRaw(@Previous() previous: Buffer | undefined, @Payload() value: Buffer | undefined) {
          seen.push([previous?.toString(), value?.toString()]);
        }
      }
      @Injectable()
      class Raw extends Base {}
      await using running = await started(Raw);
      await running.watcher.put('/raw/1', 'a');
      await running.watcher.put('/raw/1', 'b');
      await eventually(() => seen.length === 2);

      expect(seen).toEqual([
        [undefined, 'a'],
        ['a', 'b'],
      ]);
    });
  });

  it('with a pattern as its target is called for matching keys only', async () => {
    const seen: string[] = [];
    class Limits {
      @WatchKey('/tenants/:tenant/limits')
      onLimits({ key }: WatchEvent) {
        seen.push(key);
      }
      @WatchKey(String.raw`/tenants/\:all/`)
      onAll({ key }: WatchEvent) {
        seen.push(`literal ${key}`);
      }
    }
    await using running = await started(Limits);
    for (const key of [
      '/tenants/a',
      '/tenants/a/limits',
      '/tenants/b/limits/x',
      '/tenants/:all/1',
      '/tenants/b/limits',
    ])
      await running.watcher.put(key, 'x');
    await eventually(() => seen.length === 3);

    expect(seen.sort()).toEqual(['/tenants/a/limits', '/tenants/b/limits', 'literal /tenants/:all/1']);
  });

  it('with batch: true receives one revision per call', async () => {
    const seen: string[] = [];
    const record = (name: string, { events, origin }: WatchBatch) =>
      seen.push(`${name} ${origin} ${events.map(({ key }) => key).join()}`);
    class Orders {
      @WatchKey('/orders/', { batch: true })
      onOrders(batch: WatchBatch) {
        record('plain', batch);
      }
      @WatchKey('/orders/', { batch: true })
      withParameters(@Payload() batch: WatchBatch, @Signal() signal: AbortSignal) {
        if (!signal.aborted) record('decorated', batch);
      }
      @WatchKey('/orders/:id/lines', { batch: true })
      onLines(batch: WatchBatch) {
        record('pattern', batch);
      }
    }
    await put('/orders/1', 'x');
    await put('/orders/2', 'x');
    await using running = await started(Orders);
    await eventually(() => seen.length === 2);
    expect(running.app.get(WatchKeyRegistry).list()).toHaveLength(3);
    await etcd.putTogether({ '/orders/1': 'y', '/orders/1/lines': 'y', '/orders/3': 'y' });
    await eventually(() => seen.length === 5);

    expect(seen.sort()).toEqual([
      'decorated initial /orders/1,/orders/2',
      'decorated live /orders/1,/orders/1/lines,/orders/3',
      'pattern live /orders/1/lines',
      'plain initial /orders/1,/orders/2',
      'plain live /orders/1,/orders/1/lines,/orders/3',
    ]);
  });

  it('is listed, paused and resumed at run time, and can be registered later', async () => {
    const seen: string[] = [];
    class Orders {
      @WatchKey('/orders/')
      onOrder({ key }: WatchEvent) {
        seen.push(key);
      }
      @WatchKey('/tenants/:tenant/limits', { onExhausted: 'halt' })
      onLimits({ key }: WatchEvent) {
        seen.push(key);
        if (seen.length < 4) throw new TypeError();
      }
    }
    await using running = await started(Orders, { handlers: { register: false } });
    const registry = running.app.get(WatchKeyRegistry);
    const states = () => registry.list().map(({ name, state }) => `${name} ${state}`);
    expect(states()).toEqual(['Orders.onOrder unregistered', 'Orders.onLimits unregistered']);

    registry.pause('Orders.onOrder');
    await registry.register();
    await registry.register();
    const { revision } = await running.watcher.put('/orders/1', 'x');
    const [orders, limits] = registry.list('Orders');
    await eventually(() => orders?.pending === 1 && limits?.state === 'following');
    expect(orders).toMatchObject({
      className: 'Orders',
      method: 'onOrder',
      target: '/orders/',
      revision,
      calls: 0,
      failures: 0,
    });
    expect([states()[0], seen]).toEqual(['Orders.onOrder paused', []]);

    registry.resume('Orders');
    await eventually(() => seen.length === 1);
    await running.watcher.put('/tenants/a/limits', 'x');
    await eventually(() => limits?.state === 'halted');
    expect([limits?.calls, limits?.failures, limits?.target]).toEqual([1, 1, '/tenants/:tenant/limits']);
    expect(orders?.calls).toBe(1);
    limits?.resume();
    await eventually(() => limits?.state === 'halted' && seen.length === 3);
    limits?.resume();
    await eventually(() => limits?.state === 'following' && seen.length === 4);
    expect(seen).toEqual(['/orders/1', ...Array<string>(3).fill('/tenants/a/limits')]);
  });

  it('that can never run fails the bootstrap, which names all such methods', async () => {
    // The compiler rejects these methods if the options have their own type.
    const ORDERS: WatchKeyOptions = { type: Order };
    class Unvalidated {
      anything!: string;
    }
    class Orders {
      @WatchKey('/a/', { type: Unvalidated })
      unvalidated() {}
      @WatchKey('/a/:b', { type: Order })
      lost(@KeyParam('tenant') tenant: string) {
        return tenant;
      }
      @WatchKey('/a/', ORDERS)
      otherClass(@Payload() item: Item) {
        return item;
      }
      @WatchKey('/a/')
      untyped(@Payload() order: Order) {
        return order;
      }
      @WatchKey('/a/')
      undecorated(order: Order) {
        return order;
      }
      @WatchKey('/a/', ORDERS)
      swapped(item: Item, event: WatchEvent) {
        return [item, event];
      }
      @WatchKey('/a/')
      number(@Key() key: number) {
        return key;
      }
      @WatchKey('/a/')
      hole(bare: unknown, @Key() key: string) {
        return [bare, key];
      }
      @WatchKey('/a/', { batch: true })
      keyOfBatch(@Key() key: string) {
        return key;
      }
      @WatchKey('/a/', { batch: true, type: Order })
      typedBatch() {}
      @WatchKey('/a/', { onInvalid: 'error' })
      pointless() {}
      @WatchKey('/a/:b/:b')
      twice() {}
      @WatchKey('/a/', { concurrency: 0 })
      options() {}
      @OnWatchError('')
      onNothing() {}
      @OnWatchError('/a/', { cluster: 'audit' })
      onElsewhere() {}
    }
    const failed: unknown = await started(Orders).catch((error: unknown) => error);

    expect(failed).toBeInstanceOf(BootError);
    expect((failed as BootError).problems.map(({ message }) => message)).toEqual([
      'Orders.unvalidated: Unvalidated, the class of Orders.unvalidated, has no class-validator constraint, so any value would be valid: decorate its properties, such as with @IsString()',
      `Orders.lost: @KeyParam('tenant'): pattern "/a/:b" has no ":tenant"`,
      'Orders.otherClass: parameter 0 is declared as Item, but @Payload() provides Order',
      'Orders.untyped: parameter 0 is declared as Order, but @Payload() provides Buffer: set { type: Order }',
      'Orders.undecorated: parameter 0 is declared as Order, but the method receives events: set { type: Order }',
      'Orders.swapped: parameter 0 is declared as Item, but "type" is Order',
      'Orders.number: parameter 0 is declared as Number, but @Key() provides String',
      'Orders.hole: parameter 0 would be undefined: decorate every parameter or none',
      'Orders.keyOfBatch: a method with "batch" supports only the decorators @Payload() (the batch), @Delivery(), @Signal() and @Fenced()',
      'Orders.typedBatch: "type" cannot be combined with "batch", which delivers the bytes of many keys: remove one of them',
      'Orders.pointless: "onInvalid" and "unknown" require a "type"',
      'Orders.twice: the target "/a/:b/:b" has the parameter ":b" twice',
      'Orders.options: "concurrency" must be an integer of at least 1',
      expect.stringMatching(/^Orders.onNothing: the target '' would watch every key/),
      expect.stringMatching(/^Orders.onElsewhere: there is no cluster "audit"/),
    ]);
  });
});
