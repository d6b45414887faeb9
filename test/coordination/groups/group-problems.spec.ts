import { getEventListeners } from 'node:events';
import { ConnectionError, GroupRegistry } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { GroupProblems } from '../../../lib/coordination/groups/group-problems.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';
import { quiet } from '../../support/quiet-logger.js';
import type { StartedApp } from '../../support/start-app.js';
import { cursorOf, groupHandlerOf, startInstance } from './group-app.js';

const OWNERS = '/co/v1/groups/billing/owners/';
const CURSORS = '/co/v1/groups/billing/cursors/';
const CONFIG = '/co/v1/groups/billing/config';

const handlerWith = (partitions: number) => groupHandlerOf(() => undefined, { group: { name: 'billing', partitions } });

const problemsOf = ({ app }: Pick<StartedApp, 'app'>): readonly string[] =>
  app.get(GroupRegistry).list()[0]?.problems ?? [];

const nameOf = (partition: number): string => String(partition).padStart(3, '0');

describe('a problem of a group', () => {
  it('leaves nothing behind in a signal that lives longer than its wait', async () => {
    const { signal: stopping } = new AbortController();
    const log = new InstanceLog(quiet, { serviceName: 's', podName: 'p' });
    const problems = new GroupProblems({ group: 'billing', log, stopping });
    const waits = Array.from({ length: 100 }, () => problems.pauseAfter('group', new ConnectionError('away'), 9));
    problems.retryNow();
    await Promise.all(waits);

    // Node's own sets, such as those of the signals that depend on this one.
    const fields = Object.getOwnPropertySymbols(stopping).map((symbol): unknown => Reflect.get(stopping, symbol));
    const sizes = fields.map((field) => (field as { readonly size?: number } | undefined)?.size ?? 0);
    expect([Math.max(...sizes), getEventListeners(stopping, 'abort')]).toEqual([0, []]);
  });

  it('with the stored configuration is reported once, and stays while another problem comes and goes', async () => {
    const fake = new FakeCluster();
    const logger = new CollectingLogger();
    fake.deny('/orders/');
    await using one = await startInstance(fake, handlerWith(1), { settle: false, logger });
    await eventually(() => problemsOf(one).some((problem) => problem.includes('cannot go on')));
    fake.put(CONFIG, { ...(fake.json(CONFIG) as object), partitions: 8 });
    await eventually(() => fake.keys(OWNERS).length === 0);
    await eventually(() => problemsOf(one).length === 1);
    expect(problemsOf(one)[0]).toContain('it has 8 partitions in etcd');
    // Everything that lets the group be evaluated again.
    for (const pod of ['a', 'b']) fake.put(`/co/v1/instances/${pod}`, { v: 1, pod, groups: ['billing'] });
    fake.put(CONFIG, { ...(fake.json(CONFIG) as object), note: 'again' });
    await new Promise(setImmediate);
    expect(problemsOf(one)).toHaveLength(1);
    expect(logger.text.split('takes no part')).toHaveLength(2);
  });

  it('with some partitions keeps no instance from the others that their assigned owner does not claim', async () => {
    const fake = new FakeCluster();
    const partitions = 42;
    await (await startInstance(fake, handlerWith(partitions)))[Symbol.asyncDispose]();
    // Each of two instances is assigned 21: one of these at least is assigned to the instance that runs.
    for (let partition = 0; partition < 22; partition += 1) fake.delete(CURSORS + nameOf(partition));
    fake.put('/co/v1/instances/stuck', { v: 1, pod: 'stuck', groups: ['billing'] });
    await using one = await startInstance(fake, handlerWith(partitions), {
      settle: false,
      logger: new CollectingLogger(),
    });
    await eventually(() => problemsOf(one).length > 0);
    await eventually(() => {
      fake.advance(1_000);
      return fake.keys(OWNERS).length === partitions - 22;
    });
  });

  it('with a partition ends when another instance owns it', async () => {
    const fake = new FakeCluster();
    await (await startInstance(fake, handlerWith(1)))[Symbol.asyncDispose]();
    const cursor = cursorOf(fake);
    fake.delete(`${CURSORS}000`);
    await using one = await startInstance(fake, handlerWith(1), { settle: false, logger: new CollectingLogger() });
    await eventually(() => problemsOf(one).length === 1);
    fake.putAll({ [`${CURSORS}000`]: cursor ?? {}, [`${OWNERS}000`]: { v: 1, instance: 'other', pod: 'other' } });
    await eventually(() => problemsOf(one).length === 0);
  });
});
