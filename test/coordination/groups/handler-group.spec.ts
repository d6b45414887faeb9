import { createParamDecorator, type ExecutionContext, Injectable } from '@nestjs/common';
import { IsInt } from 'class-validator';
import {
  EtcdTriggerContext,
  type DeliveryContext,
  type Fence,
  InvalidOptionsError,
  RevisionConflictError,
  WatchKey,
  WatchKeyRegistry,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { Deferred } from '../../../lib/timing/deferred.js';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';
import type { StartedApp } from '../../support/start-app.js';
import { cursorOf, describeEvent, groupHandlerOf, Journal, startInstance } from './group-app.js';

class Effect {
  @IsInt() count!: number;
}

const CallContext = createParamDecorator((_data: unknown, host: ExecutionContext) => EtcdTriggerContext.of(host));

const journal = new Journal();
const recording = (pod: string, options?: Parameters<typeof groupHandlerOf>[1]) =>
  groupHandlerOf((event, context) => {
    journal.lines.push(`${pod} ${describeEvent(event, context)}`);
  }, options);

describe('a handler group', () => {
  it('calls one instance with each event, and the next one without repeats after a graceful end', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    const first = await startInstance(fake, recording('one'));
    const second = await startInstance(fake, recording('two'));
    fake.put('/orders/a', '2');
    await settled(fake);
    expect(journal.take()).toEqual(['one /orders/a=1 initial', 'one /orders/b=1 initial', 'one /orders/a=2<1 live']);

    await first[Symbol.asyncDispose]();
    await settled(fake);
    fake.put('/orders/b', '2');
    fake.delete('/orders/a');
    await settled(fake);
    expect(journal.take()).toEqual(['two /orders/b=2<1 live', 'two /orders/a=<2 live']);
    await second[Symbol.asyncDispose]();
  });

  it('delivers what happened while no instance was running, with the previous values', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    await (await startInstance(fake, recording('one')))[Symbol.asyncDispose]();
    journal.take();
    fake.put('/orders/a', '2');
    fake.put('/orders/b', '1');
    fake.delete('/orders/a');
    const second = await startInstance(fake, recording('two'));
    expect(journal.take()).toEqual(['two /orders/a=2<1 live', 'two /orders/b=1 live', 'two /orders/a=<2 live']);
    await second[Symbol.asyncDispose]();
  });

  it('begins with the next change on request', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    await using one = await startInstance(fake, recording('one', { group: { name: 'billing', from: 'now' } }));
    fake.put('/orders/a', '2');
    await settled(one.app);
    expect(journal.take()).toEqual(['one /orders/a=2<1 live']);
  });

  it('repeats at most the events since the last checkpoint after a crash, and says so', async () => {
    const fake = new FakeCluster();
    const end = new Deferred();
    const crashed = await startInstance(
      fake,
      groupHandlerOf(async (event, context) => {
        journal.lines.push(`one ${describeEvent(event, context)}`);
        if (event.key === '/orders/hangs') await end.promise;
      }),
    );
    fake.put('/orders/a', '1');
    await settled(fake);
    fake.advance(1_000);
    await eventually(() => cursorOf(fake)?.r === fake.revision - 1);
    fake.put('/orders/b', '1');
    fake.put('/orders/hangs', '1');
    await eventually(() => journal.lines.length === 3);
    journal.take();
    // The lease is revoked, as when it expires.
    const { lease = '' } = fake.get('/co/v1/groups/billing/owners/000') ?? {};
    const second = await startInstance(fake, recording('two'), { settle: false });
    fake.revokeLease(lease);
    await eventually(() => journal.lines.length === 2);
    fake.put('/orders/c', '1');
    await eventually(() => journal.lines.length === 3);
    expect(journal.take()).toEqual([
      'two /orders/b=1 live again',
      'two /orders/hangs=1 live again',
      'two /orders/c=1 live',
    ]);
    end.resolve();
    await crashed[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
  });

  it('repeats nothing of a revision with many events, with a small cursor', async () => {
    const fake = new FakeCluster();
    const calls: string[] = [];
    const instances: StartedApp[] = [];
    const handler = groupHandlerOf(({ key }) => {
      calls.push(key);
      if (calls.length === 3_000) instances[0]?.app.get(WatchKeyRegistry).pause();
      return calls.length % 3 === 0 ? Promise.resolve() : undefined;
    });
    const first = await startInstance(fake, handler);
    instances.push(first);
    // As with the deletion of a whole prefix.
    fake.putAll(Object.fromEntries(Array.from({ length: 5_000 }, (_, index) => [`/orders/${index}`, '1'])));
    await eventually(() => calls.length >= 3_000);
    await first[Symbol.asyncDispose]();
    expect(calls.length).toBeLessThan(3_100);
    expect(fake.get('/co/v1/groups/billing/cursors/000')?.value.length).toBeLessThan(6_000);
    await using second = await startInstance(fake, handler);
    await settled(second.app);
    expect([calls.length, new Set(calls).size]).toEqual([5_000, 5_000]);
  });

  it('waits for its calls when it ends, and does not repeat their events', async () => {
    const fake = new FakeCluster();
    const end = new Deferred();
    const first = await startInstance(
      fake,
      groupHandlerOf(async (event, context) => {
        await end.promise;
        journal.lines.push(`one ${describeEvent(event, context)}`);
      }),
      { shutdown: { drainTimeoutMs: 10_000 } },
    );
    fake.put('/orders/a', '1');
    fake.put('/orders/a', '2');
    await using second = await startInstance(fake, recording('two'), { settle: false });
    const ended = first[Symbol.asyncDispose]();
    await eventually(() => fake.keys('/co/v1/instances/').length === 1);
    end.resolve();
    await ended;
    await settled(second.app);
    expect(journal.take()).toEqual(['one /orders/a=1 live', 'two /orders/a=2<1 live']);
    await settled(fake);
  });
});

const handled = (fake: FakeCluster): string[] => fake.keys('/effects/');

describe('commit()', () => {
  const configs = [{ prefix: '/effects/', type: Effect }];

  it('applies the writes and stores that the event is handled in one transaction', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    await using one = await startInstance(
      fake,
      groupHandlerOf(async ({ key }, context) => {
        await context.commit((tx) => {
          tx.put(`/effects${key}`, { count: 1 });
        });
      }),
      { configs },
    );
    await settled(one.app);
    expect(fake.json('/effects/orders/a')).toEqual({ count: 1 });
    const effect = fake.get('/effects/orders/a');
    expect(fake.get('/co/v1/groups/billing/cursors/000')?.revision).toBe(effect?.revision);
    expect(cursorOf(fake)).toMatchObject({ done: [] });
  });

  it.each([
    ['the second parameter', undefined],
    ['the context of enhancers', CallContext()],
  ])('works with a destructured context: %s', async (_name, decorate) => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    const held: unknown[] = [];
    @Injectable()
    class Orders {
      @WatchKey('/orders/', { group: 'billing' })
      async on(...given: readonly unknown[]): Promise<void> {
        const { commit, fence } = given.at(-1) as DeliveryContext;
        const { held: isHeld, verify } = fence as Fence;
        held.push(isHeld, await verify());
        await commit((tx) => {
          tx.put('/effects/a', { count: 1 });
        });
      }
    }
    decorate?.(Orders.prototype, 'on', 0);
    await using one = await startInstance(fake, Orders, { configs });
    await settled(one.app);
    expect([held, fake.json('/effects/a')]).toEqual([[true, true], { count: 1 }]);
  });

  it('is refused where its conditions do not hold, and may be called again', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/effects/a': { count: 7 } });
    const outcomes: unknown[] = [];
    await using one = await startInstance(
      fake,
      groupHandlerOf(async (_event, context) => {
        await context
          .commit((tx) => {
            tx.put('/effects/a', { count: 1 }, { ifAbsent: true });
          })
          .catch((error: unknown) => outcomes.push(error));
        await context.commit(() => undefined);
        await context.commit(() => undefined).catch((error: unknown) => outcomes.push(error));
      }),
      { configs },
    );
    await settled(one.app);
    expect(outcomes).toEqual([expect.any(RevisionConflictError), expect.any(InvalidOptionsError)]);
    expect(fake.json('/effects/a')).toEqual({ count: 7 });
  });

  it('is not possible after the end of the call, and in a handler without a group', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    const contexts: DeliveryContext[] = [];
    const keep = (_event: unknown, context: DeliveryContext) => void contexts.push(context);
    await using one = await startInstance(fake, groupHandlerOf(keep));
    await using other = await startInstance(fake, groupHandlerOf(keep, {}));
    await settled(one.app);
    await settled(other.app);
    expect(contexts).toHaveLength(2);
    for (const context of contexts) await expect(context.commit(() => undefined)).rejects.toThrow(InvalidOptionsError);
    expect(contexts.map(({ fence, redelivered }) => [fence?.name, redelivered])).toEqual([
      ['billing', false],
      [undefined, false],
    ]);
  });

  it('fails a call that does not wait for it, and keeps an event whose call fails after it', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    const logger = new CollectingLogger();
    let calls = 0;
    await using one = await startInstance(
      fake,
      groupHandlerOf(
        ({ key }, context) => {
          calls += 1;
          void context.commit((tx) => {
            tx.put('/effects/a', { count: 1 }, key === '/orders/a' ? { ifAbsent: true } : {});
          });
          if (key === '/orders/b') throw new TypeError('4711');
        },
        { group: 'billing', order: 'target', retry: { attempts: 3, backoff: { initialMs: 1 } } },
      ),
      { configs, logger },
    );
    await settled(one.app);
    expect([calls, handled(fake)]).toEqual([2, ['/effects/a']]);
    expect(JSON.stringify(logger)).toContain('after its commit() was applied: TypeError');
    expect(JSON.stringify(logger)).not.toContain('4711');
  });

  it.each(['before', 'after'] as const)('applies its writes once if the connection is lost %s it', async (when) => {
    const fake = new FakeCluster();
    let calls = 0;
    await using one = await startInstance(
      fake,
      groupHandlerOf(async ({ key }, context) => {
        calls += 1;
        if (when === 'before') fake.disconnect();
        else fake.freeze();
        const commit = context.commit((tx) => {
          tx.put(`/effects${key}`, { count: calls }, { ifAbsent: true });
        });
        await Promise.resolve();
        fake.disconnect();
        setTimeout(() => {
          fake.reconnect();
        }, 20);
        await commit;
      }),
      { configs },
    );
    fake.put('/orders/a', '1');
    await eventually(() => handled(fake).length === 1);
    await settled(one.app);
    expect([calls, fake.get('/effects/orders/a')?.version]).toEqual([1, 1]);
  });
});
