import { IsInt } from 'class-validator';
import {
  type DeliveryContext,
  GroupRegistry,
  type ResyncNotice,
  type WatchBatch,
  type WatchKey,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { partitionOf } from '../../../lib/coordination/groups/partition-of.js';
import { Deferred } from '../../../lib/timing/deferred.js';
import { eventually } from '../../support/eventually.js';
import { startApp } from '../../support/start-app.js';
import { cursorOf, describeEvent, groupHandlerOf, Journal, startInstance } from './group-app.js';

class Effect {
  @IsInt() count!: number;
}

const configs = [{ prefix: '/effects/', type: Effect }];
const NAMES = '/co/v1/groups/billing/keys/';
const GROUP = { name: 'billing', remember: 'keys' } as const;

const namesIn = (fake: FakeCluster): string[] => fake.keys(NAMES).map((key) => key.slice(NAMES.length));
const ordersOf = (count: number): string[] => Array.from({ length: count }, (_, index) => `/orders/${index}`);

function recorder(options: Exclude<Parameters<typeof WatchKey>[1], undefined> = {}) {
  const journal = new Journal();
  const notices: ResyncNotice[] = [];
  const provider = groupHandlerOf(
    (event, context) => {
      journal.lines.push(describeEvent(event, context));
    },
    { group: GROUP, onResync: (notice) => notices.push(notice), ...options },
  );
  const runOnce = async (fake: FakeCluster): Promise<string[]> => {
    await (await startInstance(fake, provider))[Symbol.asyncDispose]();
    return journal.take();
  };
  return { journal, notices, provider, runOnce };
}

/** A handler of batches that stores the number of their events with a `commit()`. */
function committing() {
  const sizes: number[] = [];
  const on = (events: unknown, context: DeliveryContext): unknown => {
    const { length } = (events as WatchBatch).events;
    return context.commit((tx) => {
      sizes.push(length);
      tx.put(`/effects/${sizes.length}`, { count: length });
    });
  };
  return { sizes, provider: groupHandlerOf(on, { group: GROUP, batch: true }) };
}

describe('the keys that a group remembers', () => {
  it('are stored with a commit() of more of them than fit into a transaction', async () => {
    const fake = new FakeCluster();
    for (const key of ordersOf(300)) fake.put(key, '1');
    const { sizes, provider } = committing();
    await (await startInstance(fake, provider, { configs }))[Symbol.asyncDispose]();
    expect([sizes, fake.json('/effects/1')]).toEqual([[300], { count: 300 }]);
    expect(namesIn(fake)).toHaveLength(300);

    for (const key of ordersOf(250)) fake.delete(key);
    fake.compact();
    await (await startInstance(fake, provider, { configs }))[Symbol.asyncDispose]();
    expect([sizes, fake.json('/effects/2')]).toEqual([[300, 250], { count: 250 }]);
    expect(namesIn(fake)).toHaveLength(50);
    fake.compact();
    await (await startInstance(fake, provider, { configs }))[Symbol.asyncDispose]();
    expect(sizes).toEqual([300, 250]);
  });

  it('are handled without a commit() in a batch of more of them than fit into a transaction', async () => {
    const fake = new FakeCluster();
    for (const key of ordersOf(350)) fake.put(key, '1');
    const sizes: number[] = [];
    const provider = groupHandlerOf(
      (batch) => {
        sizes.push((batch as unknown as WatchBatch).events.length);
      },
      { group: GROUP, batch: true },
    );
    await using one = await startInstance(fake, provider);
    await eventually(() => namesIn(fake).length >= 300);
    fake.advance(1_000);
    await eventually(() => namesIn(fake).length === 350);
    fake.put('/orders/last', '1');
    await settled(one.app);
    expect(sizes).toEqual([350, 1]);
  });

  it('are parked in a batch of more of them than fit into a transaction', async () => {
    const fake = new FakeCluster();
    for (const key of ordersOf(150)) fake.put(key, '1');
    const provider = groupHandlerOf(
      () => {
        throw new TypeError('broken');
      },
      { group: GROUP, batch: true, onExhausted: 'park' },
    );
    await using one = await startInstance(fake, provider);
    await settled(one.app);
    expect([fake.keys('/co/v1/groups/billing/parked/').length, namesIn(fake).length]).toEqual([150, 150]);
  });

  it('are stored before the cursor moves past them, however many become known during a commit()', async () => {
    const fake = new FakeCluster();
    for (const key of ordersOf(240)) fake.put(key, '1');
    fake.put('/orders/zz', '1');
    const started = new Set<string>();
    const go = new Deferred();
    const provider = groupHandlerOf(
      async (event, context) => {
        started.add(event.key);
        await go.promise;
        if (event.key !== '/orders/zz') return;
        await context.commit((tx) => {
          tx.put('/effects/zz', { count: 1 });
        });
      },
      { group: GROUP, concurrency: 256 },
    );
    await using one = await startInstance(fake, provider, { configs, settle: false });
    await eventually(() => started.size === 241);
    go.resolve();
    await eventually(() => fake.get('/effects/zz') !== undefined);
    const { revision = 0 } = fake.get('/effects/zz') ?? {};
    const late = fake.keys(NAMES).filter((key) => (fake.get(key)?.revision ?? 0) > revision);
    expect([late, namesIn(fake).length]).toEqual([[], 241]);
    await settled(one.app);
  });

  it('are not delivered again as deleted if an owner has died before it has deleted their names', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    const { runOnce } = recorder();
    await runOnce(fake);
    const { revision } = fake.delete('/orders/a');
    expect(await runOnce(fake)).toEqual(['/orders/a=<1 live']);
    fake.put(`${NAMES}/orders/a`, String(revision));
    fake.put('/orders/b', '2');
    fake.compact();
    expect(await runOnce(fake)).toEqual(['/orders/b=2 resync']);
    expect(namesIn(fake)).toEqual(['/orders/b']);
  });

  it('are delivered as deleted if an owner has died before it has handled that', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    const { runOnce } = recorder();
    await runOnce(fake);
    const { revision } = fake.delete('/orders/a');
    fake.put(`${NAMES}/orders/a`, String(revision));
    fake.compact();
    expect(await runOnce(fake)).toEqual(['/orders/a= resync']);
    expect(namesIn(fake)).toEqual([]);
  });

  it('are forgotten when they are deleted, also if the handler does not want deletions', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    const { runOnce } = recorder({ events: 'put' });
    expect(await runOnce(fake)).toEqual(['/orders/a=1 initial', '/orders/b=1 initial']);
    fake.delete('/orders/a');
    fake.put('/orders/c', '1');
    fake.delete('/orders/c');
    expect(await runOnce(fake)).toEqual(['/orders/c=1 live']);
    expect(namesIn(fake)).toEqual(['/orders/b']);
    fake.delete('/orders/b');
    fake.compact();
    expect(await runOnce(fake)).toEqual([]);
    expect(namesIn(fake)).toEqual([]);
  });

  it.each([false, true])('are known to a handler that wants only deletions, with batches: %s', async (isBatched) => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    const deleted: string[] = [];
    const provider = groupHandlerOf(
      (subject) => {
        const { events } = isBatched ? (subject as unknown as WatchBatch) : { events: [subject] };
        deleted.push(...events.map(({ key, type }) => `${type} ${key}`));
      },
      { group: GROUP, events: 'delete', ...(isBatched && { batch: true }) },
    );
    const runOnce = async (): Promise<void> => (await startInstance(fake, provider))[Symbol.asyncDispose]();
    await runOnce();
    fake.transaction((tx) => {
      tx.put('/orders/c', '1');
      tx.delete('/orders/b');
    });
    await runOnce();
    expect([deleted.splice(0), namesIn(fake)]).toEqual([['delete /orders/b'], ['/orders/a', '/orders/c']]);
    fake.delete('/orders/a');
    fake.put('/orders/c', '2');
    fake.compact();
    await runOnce();
    expect([deleted, namesIn(fake)]).toEqual([['delete /orders/a'], ['/orders/c']]);
  });

  it.each([
    ['begins with the next change', { name: 'billing', from: 'now' } as const, { ...GROUP, from: 'now' } as const],
    ['is asked to remember them later', 'billing', GROUP],
  ])('are those that exist when a group %s', async (_, first, second) => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    await recorder({ group: first }).runOnce(fake);
    expect(namesIn(fake)).toEqual([]);
    const { notices, runOnce } = recorder({ group: second });
    fake.delete('/orders/b');
    fake.put('/orders/c', '1');
    await runOnce(fake);
    expect([namesIn(fake), cursorOf(fake)?.remembers]).toEqual([['/orders/a', '/orders/c'], true]);
    fake.delete('/orders/a');
    fake.compact();
    expect(await runOnce(fake)).toEqual(['/orders/a= resync']);
    expect(notices.map(({ deletionsKnown }) => deletionsKnown)).toEqual([true]);
  });

  it('are not claimed to be known if the history was lost before they were remembered', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    await recorder({ group: 'billing' }).runOnce(fake);
    fake.delete('/orders/a');
    fake.put('/orders/b', '2');
    fake.compact();
    const { notices, runOnce } = recorder();
    expect(await runOnce(fake)).toEqual(['/orders/b=2 resync']);
    expect(notices.map(({ deletionsKnown }) => deletionsKnown)).toEqual([false]);
    await runOnce(fake);
    expect(namesIn(fake)).toEqual(['/orders/b']);
  });

  it('are not claimed to be known while an event is handled whose key is not remembered', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    await recorder({ group: 'billing' }).runOnce(fake);
    fake.put('/orders/a', '2');
    fake.put('/orders/b', '1');
    const created = fake.revision;
    const before = { ...cursorOf(fake), r: created - 2 };
    fake.put('/co/v1/groups/billing/cursors/000', { ...before, done: [`${created}/0`] });
    const { notices, runOnce } = recorder();
    expect(await runOnce(fake)).toEqual(['/orders/a=2<1 live']);
    fake.delete('/orders/b');
    fake.compact();
    expect(await runOnce(fake)).toEqual([]);
    expect(notices.map(({ deletionsKnown }) => deletionsKnown)).toEqual([false]);
    await runOnce(fake);
    expect([namesIn(fake), cursorOf(fake)?.remembers]).toEqual([['/orders/a'], true]);
  });

  it('stay while a reset is refused, because the group goes on at its cursors', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    const { notices, runOnce } = recorder();
    await runOnce(fake);
    fake.deny('/co/v1/groups/billing/owners/');
    await using other = await startApp({ hosts: '', client: fake, coordination: { prefix: '/co' } });
    await expect(other.app.get(GroupRegistry).reset('billing', { from: 'existing' })).rejects.toThrow('denied');
    fake.allow();
    fake.delete('/orders/b');
    fake.compact();
    expect(await runOnce(fake)).toEqual(['/orders/b= resync']);
    expect(notices.map(({ deletionsKnown }) => deletionsKnown)).toEqual([true]);
  });

  it.each(['initial', 'resync'])(
    'are those of a new group after a reset, which begins with the origin %s',
    async (origin) => {
      const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1', '/orders/c': '1' });
      const { runOnce } = recorder();
      await runOnce(fake);
      fake.delete('/orders/b');
      await using other = await startApp({ hosts: '', client: fake, coordination: { prefix: '/co' } });
      await other.app.get(GroupRegistry).reset('billing', { from: 'existing' });
      fake.put('/others', '1');
      if (origin === 'resync') fake.compact();
      expect(await runOnce(fake)).toEqual([`/orders/a=1 ${origin}`, `/orders/c=1 ${origin}`]);
      expect(namesIn(fake)).toEqual(['/orders/a', '/orders/c']);
      fake.delete('/orders/c');
      fake.compact();
      expect(await runOnce(fake)).toEqual(['/orders/c= resync']);
    },
  );

  it('stay the same when the number of partitions changes', async () => {
    const fake = new FakeCluster();
    for (const key of ordersOf(20)) fake.put(key, '1');
    await recorder({ group: { ...GROUP, partitions: 2 } }).runOnce(fake);
    // One of the two partitions is behind, and the other one has handled a deletion since.
    const behind = fake.revision;
    const [deleted = ''] = ordersOf(20).filter((key) => partitionOf(key, 2) === 1);
    const [changed = ''] = ordersOf(20).filter((key) => partitionOf(key, 2) === 0);
    fake.delete(deleted);
    await recorder({ group: { ...GROUP, partitions: 2 } }).runOnce(fake);
    fake.put('/co/v1/groups/billing/cursors/000', { ...cursorOf(fake), r: behind - 1 });
    const { notices, runOnce, provider } = recorder({ group: { ...GROUP, partitions: 4 } });
    const four = await startInstance(fake, provider, { settle: false });
    await four.app.get(GroupRegistry).repartition('billing', 4);
    await four[Symbol.asyncDispose]();
    await runOnce(fake);
    fake.compact();
    fake.put(changed, '2');
    fake.compact();
    expect(await runOnce(fake)).toEqual([`${changed}=2 resync`]);
    expect(notices.every(({ deletionsKnown }) => deletionsKnown)).toBe(true);
    expect(namesIn(fake)).toHaveLength(19);
  });
});
