import { EtcdTriggerInspector, type GroupDescription, type WatchKey, WatchKeyRegistry } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { partitionOf } from '../../../lib/coordination/groups/partition-of.js';
import { Deferred } from '../../../lib/timing/deferred.js';
import { eventually } from '../../support/eventually.js';
import type { StartedApp } from '../../support/start-app.js';
import { cursorOf, groupHandlerOf, Journal, startInstance } from './group-app.js';

const PARTITIONS = 32;
const GROUP = { group: { name: 'billing', partitions: PARTITIONS } } satisfies Parameters<typeof WatchKey>[1];
const SETTLE_MS = 5_000;

const groupOf = ({ app }: Pick<StartedApp, 'app'>): GroupDescription | undefined =>
  app.get(EtcdTriggerInspector).describe().clusters[0]?.coordination?.groups[0];

/** Revision up to which an instance has received the changes of the orders. */
const receivedBy = ({ app }: Pick<StartedApp, 'app'>): number | undefined =>
  app
    .get(EtcdTriggerInspector)
    .describe()
    .clusters[0]?.targets.find(({ target }) => target.includes('/orders/'))?.revision;

/** Instance by partition. */
const ownersIn = (fake: FakeCluster): Map<string, string> =>
  new Map(
    fake
      .keys('/co/v1/groups/billing/owners/')
      .map((key): [string, string] => [key, (fake.json(key) as { readonly pod: string }).pod]),
  );

const sizesOf = (owners: ReadonlyMap<string, string>): number[] => {
  const sizes = new Map<string, number>();
  for (const pod of owners.values()) sizes.set(pod, (sizes.get(pod) ?? 0) + 1);
  return [...sizes.values()].sort((a, b) => a - b);
};

describe('the partitions of a group', () => {
  it('move the least possible, in two steps, when one instance becomes ten and ten become three', async () => {
    const fake = new FakeCluster();
    const journal = new Journal();
    const counts = new Map<string, number>();
    const handler = groupHandlerOf(({ key, value }) => {
      counts.set(`${key} ${value?.toString()}`, (counts.get(`${key} ${value?.toString()}`) ?? 0) + 1);
    }, GROUP);
    const start = (pod: string) => startInstance(fake, handler, { pod, settle: false });
    const instances = [await start('pod-0')];
    await eventually(() => ownersIn(fake).size === PARTITIONS);
    let written = 0;
    const write = (): void => {
      for (let index = 0; index < 50; index += 1) fake.put(`/orders/${index}`, String((written += 1)));
    };
    write();
    const alone = ownersIn(fake);
    for (let index = 1; index < 10; index += 1) instances.push(await start(`pod-${index}`));
    await eventually(() => fake.keys('/co/v1/instances/').length === 10);
    write();
    expect(ownersIn(fake)).toEqual(alone);
    // The members must be the same for a while.
    await settled(fake);
    fake.advance(SETTLE_MS);
    await eventually(() => sizesOf(ownersIn(fake)).length === 10 && ownersIn(fake).size === PARTITIONS);
    await settled(fake);
    const ten = ownersIn(fake);
    expect(sizesOf(ten)).toEqual([3, 3, 3, 3, 3, 3, 3, 3, 4, 4]);
    write();
    fake.advance(SETTLE_MS);
    await settled(fake);
    expect(ownersIn(fake)).toEqual(ten);

    const leaving = instances.splice(3);
    await Promise.all(leaving.map((each) => each[Symbol.asyncDispose]()));
    await eventually(() => sizesOf(ownersIn(fake)).length === 3 && ownersIn(fake).size === PARTITIONS);
    fake.advance(SETTLE_MS);
    await settled(fake);
    const three = ownersIn(fake);
    expect(sizesOf(three)).toEqual([10, 11, 11]);
    const left = new Set(three.values());
    expect([...ten].filter(([key, pod]) => left.has(pod) && three.get(key) !== pod)).toEqual([]);
    write();
    await settled(fake);
    expect([...counts.values()].filter((count) => count !== 1)).toEqual([]);
    expect(counts.size).toBe(written);
    await Promise.all(instances.map((each) => each[Symbol.asyncDispose]()));
    expect(journal.lines).toEqual([]);
  });

  it('keep together what a parameter of the pattern names', async () => {
    const fake = new FakeCluster();
    const names = new Map<string, Set<string>>();
    const handler = groupHandlerOf(
      ({ key }, { fence }) => {
        const tenant = key.split('/')[2] ?? '';
        names.set(tenant, (names.get(tenant) ?? new Set()).add(fence?.name ?? ''));
      },
      { group: { name: 'billing', partitions: 4, partitionBy: 'tenant' } },
      '/tenants/:tenant/orders/',
    );
    await using one = await startInstance(fake, handler);
    for (let index = 0; index < 64; index += 1) fake.put(`/tenants/${index % 16}/orders/${index}`, '1');
    fake.put('/tenants/1/limits', '1');
    await settled(one.app);
    const partitions = new Set([...names.values()].map((each) => [...each].join()));
    expect([names.size, partitions.size]).toEqual([16, 4]);
    expect([...partitions].every((name) => /^billing\/[0-3]$/.test(name))).toBe(true);
  });

  it('do not delay each other when the handler of one hangs', async () => {
    const fake = new FakeCluster();
    const end = new Deferred();
    const handled = new Set<string>();
    const handler = groupHandlerOf(
      async ({ key }, { fence }) => {
        if (fence?.name === 'billing/0') await end.promise;
        handled.add(key);
      },
      { group: { name: 'billing', partitions: 2 }, concurrency: 4, order: 'target' },
    );
    await using one = await startInstance(fake, handler);
    for (let index = 0; index < 3_000; index += 1) fake.put(`/orders/${index}`, '1');
    await eventually(() => handled.size > 1_300);
    expect(groupOf(one)?.partitions.map(({ state }) => state)).toContain('following');
    end.resolve();
    await eventually(() => handled.size === 3_000);
    await settled(one.app);
    expect(groupOf(one)?.partitions.map(({ pending, lag }) => [pending, lag])).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it('lose nothing that happens while a partition that moves waits for its calls', async () => {
    const fake = new FakeCluster();
    const end = new Deferred();
    const handled: string[] = [];
    const handler = groupHandlerOf(
      async ({ key, value }) => {
        handled.push(`${key} ${value?.toString()}`);
        await end.promise;
      },
      { group: { name: 'billing', partitions: 2 } },
    );
    const keys = Array.from({ length: 8 }, (_, index) => `/orders/${index}`);
    await using first = await startInstance(fake, handler, { pod: 'pod-1' });
    for (const key of keys) fake.put(key, 'before');
    await eventually(() => handled.length === keys.length);
    await using second = await startInstance(fake, handler, { pod: 'pod-2', settle: false });
    await eventually(() => fake.keys('/co/v1/instances/').length === 2);
    // The members must be the same for a while.
    await eventually(() => {
      fake.advance(SETTLE_MS);
      return groupOf(first)?.partitions.some(({ state }) => state === 'ending') === true;
    });
    for (const key of keys) fake.put(key, 'meanwhile');
    await eventually(() => receivedBy(first) === fake.revision);
    end.resolve();

    await eventually(() => sizesOf(ownersIn(fake)).length === 2);
    await settled(fake);
    expect(new Set(handled).size).toBe(2 * keys.length);
    expect(handled).toHaveLength(2 * keys.length);
    expect(groupOf(second)?.partitions.map(({ state }) => state)).toContain('following');
  });

  it('start no further event after their calls were aborted, although a claim is not answered', async () => {
    const fake = new FakeCluster();
    const calls: string[] = [];
    const handler = groupHandlerOf(
      async ({ key, value }, { signal }) => {
        calls.push(`${key}=${value?.toString() ?? ''}`);
        await new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => {
            reject(new Error('aborted'));
          });
        });
      },
      { group: { name: 'billing', partitions: 2 } },
    );
    // The other partition is claimed after a while, because the instance that it is assigned to does not do it.
    fake.put('/co/v1/instances/stuck', { v: 1, pod: 'stuck', groups: ['billing'] });
    const one = await startInstance(fake, handler, { settle: false });
    await eventually(() => fake.keys('/co/v1/groups/billing/owners/').length === 1);
    for (const value of ['1', '2']) for (let index = 0; index < 8; index += 1) fake.put(`/orders/${index}`, value);
    await eventually(() => calls.length > 0);
    const before = calls.length;
    fake.freeze();
    fake.advance(6_000);
    await one[Symbol.asyncDispose]();
    expect(calls).toHaveLength(before);
    expect(calls.every((call) => call.endsWith('=1'))).toBe(true);
  });

  it('are claimed by another instance if the assigned one does not do it', async () => {
    const fake = new FakeCluster();
    const handler = groupHandlerOf(() => undefined, GROUP);
    await using one = await startInstance(fake, handler, { pod: 'one' });
    // An instance that never claims anything.
    const entry = { v: 1, pod: 'stuck', service: 's', elections: [], crons: [], groups: ['billing'] };
    fake.put('/co/v1/instances/stuck', entry);
    await settled(one.app);
    fake.advance(SETTLE_MS);
    await eventually(() => ownersIn(fake).size === PARTITIONS / 2);
    fake.advance(6_000);
    await eventually(() => ownersIn(fake).size === PARTITIONS);
  });

  it('deliver a difference that waits for a running call to the next owner, although others went on', async () => {
    const fake = new FakeCluster();
    const end = new Deferred();
    const calls: string[] = [];
    const handlerOf = (pod: string) =>
      groupHandlerOf(
        async ({ key, value }, { fence }) => {
          calls.push(`${pod} ${key}=${value?.toString() ?? ''}`);
          // The calls of one partition end when the test says so, and those of the difference with their process.
          if (pod === 'one' && fence?.name === 'billing/0') await (key === slow ? end.promise : new Deferred().promise);
        },
        { group: { name: 'billing', partitions: 2 }, order: 'target' },
      );
    const keysOf = (partition: number): string[] =>
      Array.from({ length: 40 }, (_, index) => `/orders/${index}`).filter((key) => partitionOf(key, 2) === partition);
    const [slow = '', changed = '', next = ''] = keysOf(0);
    const [other = ''] = keysOf(1);
    const one = await startInstance(fake, handlerOf('one'), { pod: 'one' });
    fake.put(slow, '1');
    await eventually(() => calls.length === 1);
    fake.disconnect();
    fake.put(changed, '1');
    fake.put(other, '1');
    fake.compact();
    fake.reconnect();
    await eventually(() => calls.includes(`one ${other}=1`));
    // The partition falls behind the other one, which goes on.
    fake.put(next, '1');
    fake.put(other, '2');
    await eventually(() => calls.includes(`one ${other}=2`));
    end.resolve();
    await eventually(() => calls.includes(`one ${changed}=1`));
    fake.advance(1_000);
    await eventually(() => cursorOf(fake, 0)?.phase === 'resync');
    await using two = await startInstance(fake, handlerOf('two'), { pod: 'two', settle: false });
    fake.delete('/co/v1/groups/billing/owners/000');
    await eventually(() => calls.includes(`two ${next}=1`));
    await settled(two.app);
    const [, ...repeated] = calls.filter((call) => call.endsWith(`${changed}=1`));
    expect(repeated).toEqual([`two ${changed}=1`]);
    expect(calls.filter((call) => call.endsWith(`${next}=1`))).toEqual([`two ${next}=1`]);
    await one[Symbol.asyncDispose]();
  });

  it('are left to the other instances by one whose handler was detached', async () => {
    const fake = new FakeCluster();
    const handler = groupHandlerOf(() => undefined, GROUP);
    await using one = await startInstance(fake, handler, { pod: 'one' });
    await using two = await startInstance(fake, handler, { pod: 'two' });
    fake.advance(SETTLE_MS);
    await eventually(() => sizesOf(ownersIn(fake)).join() === `${PARTITIONS / 2},${PARTITIONS / 2}`);
    // As after the failure of a module that is loaded lazily.
    for (const each of two.app.get(WatchKeyRegistry).list()) await each.detach();

    // The clock stands still: nobody waits for an instance that does not claim its share.
    await eventually(() => groupOf(one)?.partitions.every(({ state }) => state === 'following') === true, {
      withinMs: 5_000,
    });
  });

  it('have owners again after a restore that brings back keys of a living and of a dead instance', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    const handler = groupHandlerOf(() => undefined, { group: { name: 'billing', partitions: 8 } });
    const dead = await startInstance(fake, handler, { pod: 'dead' });
    await using living = await startInstance(fake, handler, { pod: 'living' });
    await settled(fake);
    fake.advance(SETTLE_MS);
    await eventually(() => sizesOf(ownersIn(fake)).join() === '4,4');
    const snapshot = fake.snapshot();
    await dead[Symbol.asyncDispose]();
    fake.advance(SETTLE_MS);
    await eventually(() => sizesOf(ownersIn(fake)).join() === '8');

    fake.restore(snapshot);
    await eventually(async () => {
      fake.advance(1_000);
      await settled(fake);
      const { partitions = [] } = groupOf(living) ?? {};
      return partitions.length === 8 && partitions.every(({ state }) => state === 'following');
    });
    expect([...new Set(ownersIn(fake).values())]).toEqual(['living']);
  });
});
