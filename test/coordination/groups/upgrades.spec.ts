import { Injectable } from '@nestjs/common';
import {
  type EtcdTriggerDescription,
  EtcdTriggerInspector,
  GroupBusyError,
  GroupRegistry,
  type WatchEvent,
  WatchKey,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';
import { startApp, type StartedApp } from '../../support/start-app.js';
import { cursorOf, groupHandlerOf, startInstance } from './group-app.js';

const problemsOf = ({ app }: Pick<StartedApp, 'app'>): readonly string[] => {
  const { clusters }: EtcdTriggerDescription = app.get(EtcdTriggerInspector).describe();
  return clusters[0]?.coordination?.problems ?? [];
};

/** Counts the calls with each value. */
class Counts {
  readonly byValue = new Map<string, number>();

  handler(partitions: number) {
    return groupHandlerOf(
      ({ value }) => {
        const text = value?.toString() ?? '';
        this.byValue.set(text, (this.byValue.get(text) ?? 0) + 1);
      },
      { group: { name: 'billing', partitions } },
    );
  }

  /** The number of calls of values that were handled other than once. */
  get others(): number[] {
    return [...this.byValue.values()].filter((count) => count !== 1);
  }
}

describe('a change of a group', () => {
  it('keeps an instance out that has another number of partitions, until it is repartitioned', async () => {
    const fake = new FakeCluster();
    const counts = new Counts();
    const logger = new CollectingLogger();
    let written = 0;
    const write = (): void => {
      for (let index = 0; index < 40; index += 1) fake.put(`/orders/${index}`, String((written += 1)));
    };
    write();
    const old = await startInstance(fake, counts.handler(2), { pod: 'old' });
    await using next = await startInstance(fake, counts.handler(8), { pod: 'next', settle: false, logger });
    await eventually(() => problemsOf(next).length === 1);
    expect(problemsOf(next)[0]).toMatch(/it has 2 partitions in etcd, and 8 in the options; call .*repartition/);
    write();
    await settled(old.app);
    const registry = next.app.get(GroupRegistry);
    await expect(registry.repartition('billing', 8)).rejects.toThrow(GroupBusyError);
    await old[Symbol.asyncDispose]();
    write();
    await registry.repartition('billing', 8);
    await eventually(() => problemsOf(next).length === 0 && counts.byValue.size === written);
    write();
    await settled(next.app);
    expect([counts.byValue.size, counts.others]).toEqual([written, []]);
    fake.advance(1_000);
    await eventually(() => cursorOf(fake, 7) !== undefined && cursorOf(fake, 7)?.was === undefined);
    expect(JSON.stringify(logger).split('takes no part')).toHaveLength(2);
  });

  it('repeats nothing when the cursors differ', async () => {
    const fake = new FakeCluster();
    const counts = new Counts();
    const first = await startInstance(fake, counts.handler(4));
    for (let index = 0; index < 20; index += 1) fake.put(`/orders/${index}`, String(index));
    await settled(first.app);
    await first[Symbol.asyncDispose]();
    // One partition is behind, as after a crash: its last events are handled again, those of the others are not.
    const cursor = cursorOf(fake, 2);
    fake.put('/co/v1/groups/billing/cursors/002', { ...cursor, r: 1, done: [] });
    const handledBefore = new Map(counts.byValue);
    const second = await startApp({ hosts: '', client: fake, coordination: { prefix: '/co' } });
    await second.app.get(GroupRegistry).repartition('billing', 3);
    await second[Symbol.asyncDispose]();
    await using third = await startInstance(fake, counts.handler(3));
    await settled(third.app);
    const repeated = [...counts.byValue].filter(([value, count]) => count > (handledBefore.get(value) ?? 0));
    expect(repeated.length).toBeGreaterThan(0);
    expect(repeated.length).toBeLessThan(15);
    expect(fake.keys('/co/v1/groups/billing/cursors/')).toHaveLength(3);
  });

  it('goes on at its cursor when the class and the method of its handler have other names', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    const values: string[] = [];
    const record = ({ value }: WatchEvent): void => void values.push(value?.toString() ?? '');
    @Injectable()
    class Invoices {
      @WatchKey('/orders/', { group: 'billing' })
      write(event: WatchEvent): void {
        record(event);
      }
    }
    const first = await startInstance(fake, groupHandlerOf(record));
    expect(first.app.get(GroupRegistry).list()).toMatchObject([{ name: 'billing', handler: 'Orders.on' }]);
    await first[Symbol.asyncDispose]();
    fake.put('/orders/b', '2');
    await using second = await startInstance(fake, Invoices);
    expect(second.app.get(GroupRegistry).list()).toMatchObject([{ name: 'billing', handler: 'Invoices.write' }]);
    expect(values).toEqual(['1', '2']);
  });

  it('overwrites nothing that another version has written', async () => {
    const fake = new FakeCluster();
    const later = { v: 2, anything: true };
    fake.put('/co/v1/groups/billing/config', later);
    await using one = await startInstance(fake, new Counts().handler(1), { settle: false });
    await eventually(() => problemsOf(one).some((problem) => problem.includes('another version')));
    expect(fake.json('/co/v1/groups/billing/config')).toEqual(later);
    expect(fake.keys('/co/v1/groups/billing/')).toEqual(['/co/v1/groups/billing/config']);
    await expect(one.app.get(GroupRegistry).reset('billing', { from: 'now' })).rejects.toThrow('another version');
  });

  it('stops a partition whose cursor was deleted, until it is reset', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    const counts = new Counts();
    await using one = await startInstance(fake, counts.handler(1));
    fake.delete('/co/v1/groups/billing/cursors/000');
    fake.put('/orders/a', '2');
    await eventually(() => counts.byValue.size === 2);
    fake.advance(1_000);
    await eventually(() =>
      problemsOf(one).some((problem) =>
        problem.includes('was deleted; let the group begin again by GroupRegistry.reset()'),
      ),
    );
    fake.put('/orders/a', '3');
    expect(fake.get('/co/v1/groups/billing/owners/000')).toBe(undefined);
    expect(cursorOf(fake)).toBe(undefined);
    const resetAt = performance.now();
    await one.app.get(GroupRegistry).reset('billing', { from: 'existing' });
    await eventually(() => counts.byValue.has('3'));
    // Without the reset, the cursor is read again after 5 s at the earliest.
    expect(performance.now() - resetAt).toBeLessThan(4_000);
    await eventually(() => problemsOf(one).length === 0);
    expect([...counts.byValue.keys()]).toEqual(['1', '2', '3']);
  });

  it('is refused while so many events are handled after an unfinished one that the cursors become too large', async () => {
    const fake = new FakeCluster();
    const old = await startInstance(fake, new Counts().handler(42), { pod: 'old' });
    await old[Symbol.asyncDispose]();
    const done = (partition: number): string[] =>
      Array.from({ length: 250 }, (_, index) => `${1_000_000 + partition}/${index}/abcdef`);
    for (let partition = 0; partition < 42; partition += 1) {
      const key = `/co/v1/groups/billing/cursors/${String(partition).padStart(3, '0')}`;
      fake.put(key, { ...cursorOf(fake, partition), r: 500, phase: undefined, done: done(partition) });
    }
    await using next = await startInstance(fake, new Counts().handler(41), { settle: false });
    const repartitioned = next.app.get(GroupRegistry).repartition('billing', 41);
    await expect(repartitioned).rejects.toThrow('too many events are handled after one that is not; start instances');
    await expect(repartitioned).rejects.toThrow(GroupBusyError);
    expect(fake.json('/co/v1/groups/billing/config')).toMatchObject({ partitions: 42 });
  });

  it.each([{ cluster: '4711' }, { created: 4_711 }])(
    'is refused while the cursors belong to different histories: %o',
    async (foreign) => {
      const fake = new FakeCluster({ '/orders/a': '1' });
      await (await startInstance(fake, new Counts().handler(2)))[Symbol.asyncDispose]();
      const cursor = cursorOf(fake, 1);
      fake.put('/co/v1/groups/billing/cursors/001', { ...cursor, ...foreign });
      await using next = await startApp({ hosts: '', client: fake, coordination: { prefix: '/co' } });
      const repartitioned = next.app.get(GroupRegistry).repartition('billing', 3);
      await expect(repartitioned).rejects.toThrow('belongs to another cluster, or was copied; let instances');
      // The owner of the partition has declared the other history.
      await (await startInstance(fake, new Counts().handler(2)))[Symbol.asyncDispose]();
      await next.app.get(GroupRegistry).repartition('billing', 3);
      expect(cursorOf(fake, 2)).toMatchObject({ cluster: cursor?.cluster, released: true });
    },
  );

  it('resets a group while instances own its partitions', async () => {
    const fake = new FakeCluster({ '/orders/a': '1' });
    const counts = new Counts();
    await using one = await startInstance(fake, counts.handler(2));
    await one.app.get(GroupRegistry).reset('billing', { from: 'existing' });
    await eventually(() => counts.byValue.get('1') === 2);
    await settled(one.app);
    fake.put('/orders/a', '2');
    await settled(one.app);
    expect(counts.byValue.get('2')).toBe(1);
  });

  it.each([
    [{ group: 'no spaces' }, '"group" must be 1 to 128 of the characters'],
    [{ group: { name: 'a', partitions: 43 } }, '"group.partitions" must be an integer from 1 to 42'],
    [{ group: { name: 'a', partitionBy: 'tenant' } }, 'has no \\":tenant\\"'],
    [{ group: 'a', delivery: 'latest' }, '"delivery": \'latest\' does not apply to a handler with "group"'],
    [{ group: 'a', debounceMs: 5 }, '"debounceMs" does not apply'],
    [{ group: 'a', initial: false }, '"initial" does not apply'],
    [{ group: 'a', fromRevision: 5 }, '"fromRevision" does not apply'],
    [{ group: 'a', order: 'none' }, '"order": \'none\' does not apply'],
    [{ onExhausted: 'park' }, '"onExhausted": \'park\' needs "group"'],
  ] as const)('is refused with one sentence at startup: %o', async (options, sentence) => {
    const start = startInstance(
      new FakeCluster(),
      groupHandlerOf(() => undefined, options),
    );
    await expect(start).rejects.toThrow(sentence.replace(/\\"/g, '"'));
  });

  it('is refused without the option "coordination", and for a target below its prefix', async () => {
    const provider = groupHandlerOf(() => undefined);
    const start = startApp({ hosts: '', client: new FakeCluster() }, { providers: [provider] });
    await expect(start).rejects.toThrow('"group" needs the option "coordination"');
    const inside = startInstance(
      new FakeCluster(),
      groupHandlerOf(() => undefined, { group: 'a' }, '/co/'),
    );
    await expect(inside).rejects.toThrow('overlaps "coordination.prefix"');
  });
});
