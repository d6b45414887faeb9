import { GroupRegistry, type WatchKey } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { partitionOf } from '../../../lib/coordination/groups/partition-of.js';
import { Deferred } from '../../../lib/timing/deferred.js';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';
import { cursorOf, describeEvent, groupHandlerOf, Journal, startInstance } from './group-app.js';

const PARKING = { group: 'billing', onExhausted: 'park' } satisfies Parameters<typeof WatchKey>[1];

describe('an event that a group cannot handle', () => {
  it('is parked, and handled again on request', async () => {
    const fake = new FakeCluster();
    const journal = new Journal();
    let isBroken = true;
    await using one = await startInstance(
      fake,
      groupHandlerOf(
        (event, context) => {
          journal.lines.push(describeEvent(event, context));
          if (isBroken && event.key === '/orders/a') throw new TypeError('4711');
        },
        { ...PARKING, retry: { attempts: 2, backoff: { initialMs: 1 } } },
      ),
    );
    fake.put('/orders/a', 'one');
    fake.put('/orders/b', '1');
    await settled(one.app);
    const registry = one.app.get(GroupRegistry);
    expect(await registry.parked('billing')).toEqual([
      {
        key: '/orders/a',
        type: 'put',
        revision: expect.any(Number) as number,
        attempts: 2,
        error: 'TypeError',
        parkedAt: expect.any(Date) as Date,
        isRedriven: false,
      },
    ]);
    const [key = ''] = fake.keys('/co/v1/groups/billing/parked/');
    expect(fake.text(key)).not.toContain('4711');
    // A handler without a type never stores values.
    expect(fake.text(key)).not.toContain(Buffer.from('one').toString('base64'));
    expect(registry.list()[0]?.parked).toBe(1);

    journal.take();
    expect(await registry.redrive('billing')).toBe(1);
    await eventually(async () => (await registry.parked('billing')).every(({ isRedriven }) => !isRedriven));
    expect(await registry.parked('billing')).toMatchObject([{ attempts: 4 }]);
    isBroken = false;
    await registry.redrive('billing');
    await eventually(() => fake.keys('/co/v1/groups/billing/parked/').length === 0);
    expect(journal.take().at(-1)).toBe('/orders/a=one live again');
  });

  it('is parked once if it is parked again after a reset', async () => {
    const fake = new FakeCluster();
    const journal = new Journal();
    let isBroken = true;
    const handler = groupHandlerOf((event, context) => {
      journal.lines.push(describeEvent(event, context));
      if (isBroken) throw new TypeError('broken');
    }, PARKING);
    await using one = await startInstance(fake, handler);
    const registry = one.app.get(GroupRegistry);
    const parked = async (): Promise<string[]> => (await registry.parked('billing')).map(({ key }) => key);
    fake.put('/orders/a', 'one');
    fake.put('/orders/b', 'two');
    await settled(one.app);
    expect(await parked()).toEqual(['/orders/a', '/orders/b']);
    await registry.reset('billing', { from: 'existing' });
    await eventually(() => journal.lines.filter((line) => line.includes(' initial')).length === 2);
    await settled(one.app);
    expect(await parked()).toEqual(['/orders/a', '/orders/b']);

    journal.take();
    isBroken = false;
    expect(await registry.redrive('billing')).toBe(2);
    await eventually(async () => (await parked()).length === 0);
    expect(journal.take().sort()).toEqual(['/orders/a=one live again', '/orders/b=two live again']);
  });

  it('is found and parked if it kills each process that tries it', async () => {
    const fake = new FakeCluster();
    const journal = new Journal();
    for (const key of ['a', 'b', 'poison', 'c']) fake.put(`/orders/${key}`, '1');
    const instances: Awaited<ReturnType<typeof startInstance>>[] = [];
    const handler = (pod: string) =>
      groupHandlerOf(async ({ key }) => {
        journal.lines.push(`${pod} ${key}`);
        // The call ends with its process.
        if (key === '/orders/poison') await new Promise(() => undefined);
      });
    const owners = () => fake.get('/co/v1/groups/billing/owners/000');
    let deaths = 0;
    for (; deaths < 12 && fake.keys('/co/v1/groups/billing/parked/').length === 0; deaths += 1) {
      instances.push(await startInstance(fake, handler(`pod-${deaths}`), { pod: `pod-${deaths}`, settle: false }));
      await eventually(
        () =>
          journal.lines.includes(`pod-${deaths} /orders/poison`) ||
          fake.keys('/co/v1/groups/billing/parked/').length > 0,
      );
      const owner = owners();
      // A process that has died renews nothing and answers nothing.
      if (fake.keys('/co/v1/groups/billing/parked/').length === 0) {
        const name = JSON.parse(owner?.value.toString() ?? '{}') as { readonly instance: string };
        fake.delete(`/co/v1/instances/${name.instance}`);
        fake.delete('/co/v1/groups/billing/owners/000');
      }
    }
    expect(deaths).toBeLessThan(10);
    const last = instances.at(-1);
    const parked = await last?.app.get(GroupRegistry).parked('billing');
    expect(parked).toMatchObject([{ key: '/orders/poison', attempts: 0, error: 'ProcessEnded' }]);
    await eventually(() => journal.lines.some((line) => line.endsWith('/orders/c')));
    await eventually(() => cursorOf(fake)?.stalls === 0 || (fake.advance(1_000), false));
    await Promise.all(instances.map((each) => each[Symbol.asyncDispose]()));
  });

  it('is handled once for each request, also among others', async () => {
    const fake = new FakeCluster();
    const journal = new Journal();
    let isBroken = true;
    await using one = await startInstance(
      fake,
      groupHandlerOf(({ key }) => {
        journal.lines.push(key);
        if (isBroken) throw new TypeError('broken');
      }, PARKING),
    );
    const keys = Array.from({ length: 20 }, (_, index) => `/orders/${String(index).padStart(2, '0')}`);
    for (const key of keys) fake.put(key, '1');
    await eventually(() => fake.keys('/co/v1/groups/billing/parked/').length === keys.length);
    await settled(one.app);
    journal.take();
    isBroken = false;
    await one.app.get(GroupRegistry).redrive('billing');
    await eventually(() => fake.keys('/co/v1/groups/billing/parked/').length === 0);
    await settled(one.app);
    expect(journal.take().sort()).toEqual(keys);
  });

  it('is parked with all others of a batch that does not fit into a transaction', async () => {
    const fake = new FakeCluster();
    for (let index = 0; index < 300; index += 1) fake.put(`/orders/${index}`, '1');
    let calls = 0;
    const handler = groupHandlerOf(
      () => {
        calls += 1;
        throw new TypeError('broken');
      },
      { ...PARKING, batch: true },
    );
    await using one = await startInstance(fake, handler, { settle: false });
    await eventually(() => fake.keys('/co/v1/groups/billing/parked/').length === 300);
    await settled(one.app);
    expect(calls).toBe(1);
    expect(one.app.get(GroupRegistry).list()[0]?.partitions).toMatchObject([{ pending: 0, lagMs: 0 }]);
  });

  it('is handled again as soon as etcd permits it, and once', async () => {
    const fake = new FakeCluster();
    const journal = new Journal();
    const logger = new CollectingLogger();
    const parkedKeys = (): string[] => fake.keys('/co/v1/groups/billing/parked/');
    let isBroken = true;
    await using one = await startInstance(
      fake,
      groupHandlerOf(({ key }) => {
        journal.lines.push(key);
        if (isBroken) throw new TypeError('broken');
        // The handled event cannot be deleted for a while.
        fake.deny('/co/v1/groups/billing/parked/');
      }, PARKING),
      { logger },
    );
    fake.put('/orders/a', '1');
    await settled(one.app);
    isBroken = false;
    journal.take();
    const [parked = ''] = parkedKeys();
    fake.deny('/co/v1/groups/billing/parked/');
    fake.put(parked, { ...(fake.json(parked) as object), redrive: true });
    await eventually(() => logger.text.includes('a parked event cannot be handled again yet'));
    fake.allow();
    await eventually(() => logger.text.includes('cannot store its cursor'));
    fake.allow();
    await eventually(() => parkedKeys().length === 0);
    await settled(one.app);
    expect(journal.take()).toEqual(['/orders/a']);
  });

  it('is handled again on request although its partition is behind the others', async () => {
    const fake = new FakeCluster();
    const end = new Deferred();
    const parkedKeys = (): string[] => fake.keys('/co/v1/groups/billing/parked/');
    const handled: string[] = [];
    let isBroken = true;
    const handler = groupHandlerOf(
      async ({ key }) => {
        if (isBroken) throw new TypeError('broken');
        await end.promise;
        handled.push(key);
      },
      { ...PARKING, group: { name: 'billing', partitions: 2 }, order: 'target' },
    );
    const keys = Array.from({ length: 3_000 }, (_, index) => `/orders/${index}`);
    const [poison = '', ...behind] = keys.filter((key) => partitionOf(key, 2) === 0);
    await using one = await startInstance(fake, handler);
    fake.put(poison, '1');
    await eventually(() => parkedKeys().length === 1);
    await settled(one.app);
    isBroken = false;
    for (const key of behind) fake.put(key, '1');
    const isBehind = (): boolean => one.app.get(GroupRegistry).list()[0]?.partitions[0]?.state !== 'following';
    await eventually(isBehind);
    await one.app.get(GroupRegistry).redrive('billing');
    const [parked = ''] = parkedKeys();
    await eventually(() => (fake.json(parked) as { readonly redrive?: boolean }).redrive === true);
    await new Promise(setImmediate);
    expect(isBehind()).toBe(true);
    end.resolve();
    await eventually(() => parkedKeys().length === 0);
    expect(handled.filter((key) => key === poison)).toHaveLength(1);
  });
});
