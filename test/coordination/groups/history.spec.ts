import type { ResyncNotice, WatchKey } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { cursorOf, describeEvent, groupHandlerOf, Journal, startInstance } from './group-app.js';

const journal = new Journal();
const notices: ResyncNotice[] = [];
const handlerOf = (group: NonNullable<Parameters<typeof WatchKey>[1]>['group'] = 'billing') =>
  groupHandlerOf(
    (event, context) => {
      journal.lines.push(describeEvent(event, context));
    },
    { group, onResync: (notice) => notices.push(notice) },
  );

async function runOnce(fake: FakeCluster, handler = handlerOf()): Promise<string[]> {
  journal.take();
  notices.length = 0;
  await (await startInstance(fake, handler))[Symbol.asyncDispose]();
  return journal.take();
}

describe('the history of a group', () => {
  it('is a declared difference after a compaction while no instance was running', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1', '/orders/c': '1' });
    await runOnce(fake);
    fake.put('/orders/a', '2');
    fake.delete('/orders/b');
    fake.put('/orders/d', '1');
    fake.compact();
    expect(await runOnce(fake)).toEqual(['/orders/a=2 resync', '/orders/d=1 resync']);
    expect(notices).toEqual([
      {
        target: { prefix: '/orders/' },
        fromRevision: expect.any(Number) as number,
        toRevision: expect.any(Number) as number,
        reason: 'compacted',
        deletionsKnown: false,
        group: 'billing',
        partition: 0,
      },
    ]);
    expect(await runOnce(fake)).toEqual([]);
    expect(cursorOf(fake)).toMatchObject({ done: [], released: true });
  });

  it('contains the deletions if the keys are remembered', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1', '/orders/c': '1' });
    const handler = handlerOf({ name: 'billing', remember: 'keys' });
    await runOnce(fake, handler);
    fake.delete('/orders/c');
    fake.put('/orders/x', '1');
    await runOnce(fake, handler);
    expect(fake.keys('/co/v1/groups/billing/keys/').map((key) => key.slice(-9))).toEqual([
      '/orders/a',
      '/orders/b',
      '/orders/x',
    ]);
    fake.delete('/orders/b');
    fake.put('/orders/a', '2');
    fake.put('/orders/passing', '1');
    fake.delete('/orders/passing');
    fake.compact();
    expect(await runOnce(fake, handler)).toEqual(['/orders/a=2 resync', '/orders/b= resync']);
    expect(notices.map(({ deletionsKnown }) => deletionsKnown)).toEqual([true]);
    expect(await runOnce(fake, handler)).toEqual([]);
  });

  it('is a difference with the previous values if the connection was lost for longer than the history', async () => {
    const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    journal.take();
    notices.length = 0;
    await using one = await startInstance(fake, handlerOf());
    journal.take();
    fake.disconnect();
    fake.put('/orders/a', '2');
    fake.delete('/orders/b');
    fake.compact();
    fake.reconnect();
    await eventually(() => journal.lines.length === 2);
    await settled(one.app);
    expect(journal.take()).toEqual(['/orders/a=2<1 resync', '/orders/b=<1 resync']);
    expect(notices).toMatchObject([{ reason: 'compacted', deletionsKnown: true, partition: 0 }]);
  });

  it('continues at the cursor of a restored store, and declares it', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    journal.take();
    notices.length = 0;
    await using one = await startInstance(fake, handlerOf());
    const snapshot = fake.snapshot();
    fake.put('/orders/a', '2');
    fake.put('/orders/b', '1');
    await settled(one.app);
    journal.take();
    fake.restore(snapshot);
    fake.put('/orders/a', '3');
    await eventually(() => journal.lines.some((line) => line.startsWith('/orders/a=3')));
    fake.put('/orders/c', '1');
    await eventually(() => journal.lines.some((line) => line.startsWith('/orders/c=1')));
    expect(notices.some(({ reason }) => reason === 'restored')).toBe(true);
  });

  it('does not get lost while the target is quiet, and costs a write a minute at most', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    const writes = () => fake.get('/co/v1/groups/billing/cursors/000')?.version ?? 0;
    await using one = await startInstance(fake, handlerOf());
    fake.advance(1_000);
    await eventually(() => cursorOf(fake)?.phase === undefined);
    const before = writes();
    for (let minute = 0; minute < 5; minute += 1) {
      for (let index = 0; index < 10; index += 1) fake.put('/others/a', String(index));
      fake.advance(60_000);
      await settled(one.app);
    }
    expect(writes() - before).toBeGreaterThan(0);
    expect(writes() - before).toBeLessThanOrEqual(5);
    const idle = writes();
    for (let minute = 0; minute < 5; minute += 1) {
      fake.advance(60_000);
      await settled(one.app);
    }
    expect(writes() - idle).toBeLessThanOrEqual(1);
    await one[Symbol.asyncDispose]();
    fake.compact(fake.revision - 3);
    notices.length = 0;
    await runOnce(fake);
    expect(notices).toEqual([]);
  });

  it('is declared again by the next owner if the former one has ended within a difference', async () => {
    const fake = new FakeCluster();
    await runOnce(fake);
    const before = cursorOf(fake);
    fake.put('/orders/a', '1');
    fake.put('/orders/b', '1');
    const phase = { phase: 'resync', r: fake.revision, base: { r: before?.r, done: [] }, released: undefined };
    fake.put('/co/v1/groups/billing/cursors/000', { ...before, ...phase });
    expect(await runOnce(fake)).toEqual(['/orders/a=1 resync again', '/orders/b=1 resync again']);
    expect(notices).toMatchObject([
      { reason: 'compacted', fromRevision: Number(before?.r) + 1, deletionsKnown: false },
    ]);
  });

  it('is not taken for handled if the cursor was copied to another store, whose revisions are higher', async () => {
    const source = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
    await runOnce(source);
    const mirror = new FakeCluster();
    for (const key of ['a', 'b', 'new']) mirror.put(`/orders/${key}`, '1');
    while (mirror.revision < source.revision + 20) mirror.put('/others/a', '1');
    for (const key of source.keys('/co/')) mirror.put(key, source.get(key)?.value ?? '');
    expect(await runOnce(mirror)).toEqual([
      '/orders/a=1 resync again',
      '/orders/b=1 resync again',
      '/orders/new=1 resync again',
    ]);
    expect(notices).toMatchObject([{ reason: 'restored', deletionsKnown: false }]);
    mirror.put('/orders/a', '2');
    expect(await runOnce(mirror)).toEqual(['/orders/a=2<1 live']);
    expect(notices).toEqual([]);
  });

  it.each([{}, { phase: 'resync', after: '/orders/a', base: { r: 1_000, done: [] } }])(
    'is not taken for handled if the cluster is another one: %o',
    async (phase) => {
      const fake = new FakeCluster({ '/orders/a': '1', '/orders/b': '1' });
      await runOnce(fake);
      const foreign = { ...cursorOf(fake), cluster: '4711', ...phase };
      fake.put('/co/v1/groups/billing/cursors/000', foreign);
      fake.put('/orders/c', '1');
      expect(await runOnce(fake)).toEqual([
        '/orders/a=1 resync again',
        '/orders/b=1 resync again',
        '/orders/c=1 resync again',
      ]);
      expect(notices).toMatchObject([{ reason: 'cluster-changed', deletionsKnown: false }]);
      expect(await runOnce(fake)).toEqual([]);
    },
  );
});
