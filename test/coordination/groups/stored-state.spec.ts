import { GroupRegistry } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { cursorOf, groupHandlerOf, startInstance } from './group-app.js';

describe('the stored state of a group', () => {
  it('stops only the partitions whose cursors were deleted', async () => {
    const fake = new FakeCluster();
    const handler = groupHandlerOf(() => undefined, { group: { name: 'billing', partitions: 4 } });
    await (await startInstance(fake, handler))[Symbol.asyncDispose]();
    fake.delete('/co/v1/groups/billing/cursors/001');
    fake.delete('/co/v1/groups/billing/cursors/002');
    await using one = await startInstance(fake, handler, { settle: false, logger: new CollectingLogger() });
    const states = () =>
      one.app
        .get(GroupRegistry)
        .list()[0]
        ?.partitions.map(({ state }) => state);
    await eventually(() => states()?.join() === 'following,free,free,following');
    expect(one.app.get(GroupRegistry).list()[0]?.problems).toHaveLength(2);
  });

  it.each([
    ['a negative revision', { r: -1 }],
    ['an unknown phase', { phase: 'final' }],
    ['a key that is no text', { phase: 'resync', after: 5 }],
    ['progress without handled events', { phase: 'resync', base: { r: 1 } }],
    ['former partitions without cursors', { was: {} }],
    ['a former cursor without a revision', { was: { partitions: 2, cursors: [{}] } }],
  ])('stops a partition whose cursor has %s', async (_, part) => {
    const fake = new FakeCluster();
    const handler = groupHandlerOf(() => undefined);
    await (await startInstance(fake, handler))[Symbol.asyncDispose]();
    fake.put('/co/v1/groups/billing/cursors/000', { ...cursorOf(fake), ...part });
    await using one = await startInstance(fake, handler, { settle: false, logger: new CollectingLogger() });
    await eventually(() => one.app.get(GroupRegistry).list()[0]?.problems.length === 1);
    expect(cursorOf(fake)).toMatchObject(part);
  });

  it('is not trusted with the number of partitions', async () => {
    const fake = new FakeCluster();
    fake.put('/co/v1/groups/billing/config', { v: 1, target: 'any', partitions: 4e9 });
    const logger = new CollectingLogger();
    await using one = await startInstance(
      fake,
      groupHandlerOf(() => undefined),
      { logger },
    );
    const reset = one.app.get(GroupRegistry).reset('billing', { from: 'now' });
    await expect(reset).rejects.toThrow('another version of this library has stored it');
  });

  it('is written once for many events that end together', async () => {
    const fake = new FakeCluster();
    let calls = 0;
    const handler = groupHandlerOf(() => {
      calls += 1;
    });
    await using one = await startInstance(fake, handler);
    const writes = () => fake.get('/co/v1/groups/billing/cursors/000')?.version ?? 0;
    const before = writes();
    for (let index = 0; index < 2_000; index += 1) fake.put(`/orders/${index}`, '1');
    await eventually(() => calls === 2_000);
    await settled(one.app);
    expect(writes() - before).toBeLessThan(20);
  });

  it('is written again after a refusal, without another event', async () => {
    const fake = new FakeCluster();
    let calls = 0;
    const handler = groupHandlerOf(
      () => {
        calls += 1;
      },
      { group: { name: 'billing', checkpoint: { everyEvents: 1 } } },
    );
    await using one = await startInstance(fake, handler, { logger: new CollectingLogger() });
    fake.advance(1_000);
    await settled(one.app);
    fake.deny('/co/v1/groups/billing/cursors/');
    fake.put('/orders/a', '1');
    await eventually(() => one.app.get(GroupRegistry).list()[0]?.problems.length === 1);
    fake.put('/orders/b', '1');
    fake.allow();
    fake.advance(1_000);
    await eventually(() => calls === 2);
    expect(one.app.get(GroupRegistry).list()[0]?.problems).toEqual([]);
  });
});
