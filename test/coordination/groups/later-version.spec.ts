import { GroupRegistry } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../../support/collecting-logger.js';
import { eventually } from '../../support/eventually.js';
import { startApp, type StartedApp } from '../../support/start-app.js';
import { cursorOf, groupHandlerOf, startInstance } from './group-app.js';
import { InterruptedClient } from './interrupted-client.js';

const GROUP = '/co/v1/groups/billing';
const LATER = { v: 2, anything: { of: 'a later version' } };
const PARKING = { group: 'billing', onExhausted: 'park' } as const;

const problemsOf = ({ app }: Pick<StartedApp, 'app'>): readonly string[] =>
  app.get(GroupRegistry).list()[0]?.problems ?? [];

/** A handler of two partitions that records the values that it is called with. */
function recording(partitions = 2) {
  const values: string[] = [];
  const handler = groupHandlerOf(
    ({ value }) => {
      values.push(value?.toString() ?? '');
    },
    { group: { name: 'billing', partitions } },
  );
  return { values, handler };
}

describe('what a later version of the library has stored', () => {
  it('in a cursor stops that partition, and is overwritten by no claim, checkpoint, reset or repartition', async () => {
    const fake = new FakeCluster();
    const { handler, values } = recording();
    await using one = await startInstance(fake, handler, { logger: new CollectingLogger() });
    // The later version takes over: a running owner must not store its cursor any more.
    fake.transaction((tx) => {
      tx.delete(`${GROUP}/owners/001`);
      tx.put(`${GROUP}/cursors/001`, LATER);
    });
    await eventually(() => problemsOf(one).some((problem) => problem.includes('written by another version')));
    for (let index = 0; index < 20; index += 1) fake.put(`/orders/${index}`, String(index));
    await eventually(() => values.length > 0);
    for (let seconds = 0; seconds < 70; seconds += 10) {
      fake.advance(10_000);
      await new Promise(setImmediate);
    }
    const registry = one.app.get(GroupRegistry);
    await expect(registry.reset('billing', { from: 'now' })).rejects.toThrow('another version of this library');
    await expect(registry.repartition('billing', 3)).rejects.toThrow('another version of this library');
    expect(cursorOf(fake, 1)).toEqual(LATER);
    expect(fake.keys(`${GROUP}/owners/`)).toEqual([`${GROUP}/owners/000`]);
    expect(values.length).toBeLessThan(20);
  });

  it.each([
    { stored: 'by a later version', isReset: false },
    { stored: 'by this version', isReset: true },
  ])('in a cursor during a reset is not overwritten: $stored', async ({ isReset }) => {
    const fake = new FakeCluster();
    await (await startInstance(fake, recording().handler))[Symbol.asyncDispose]();
    const before = cursorOf(fake, 1);
    const cut = { name: 'reset the group "billing"', before: 0, isWrite: true } as const;
    const client = new InterruptedClient(fake, { ...cut, interruption: 'suspended', lost: 'request' });
    await using one = await startApp({ hosts: '', client, coordination: { prefix: '/co' } });
    const reset = one.app.get(GroupRegistry).reset('billing', { from: 'now' });
    const failure = reset.then(
      () => undefined,
      (error: unknown) => String(error),
    );
    await client.interrupted;
    fake.put(`${GROUP}/cursors/001`, isReset ? { ...before } : LATER);
    client.continue();
    expect(await failure).toEqual(isReset ? undefined : expect.stringContaining('another version of this library'));
    expect(cursorOf(fake, 1)).toEqual(isReset ? expect.objectContaining({ phase: 'now' }) : LATER);
  });

  it('in the configuration ends the part of a running instance until it is stored as before', async () => {
    const fake = new FakeCluster();
    const { handler, values } = recording();
    await using one = await startInstance(fake, handler, { logger: new CollectingLogger() });
    const config = fake.json(`${GROUP}/config`) as object;
    fake.put(`${GROUP}/config`, LATER);
    await eventually(() => fake.keys(`${GROUP}/owners/`).length === 0);
    const cursors = [cursorOf(fake, 0), cursorOf(fake, 1)];
    fake.put('/orders/a', '1');
    fake.advance(70_000);
    await eventually(() => problemsOf(one).length === 1);
    expect([values, cursorOf(fake, 0), cursorOf(fake, 1)]).toEqual([[], ...cursors]);
    expect(fake.json(`${GROUP}/config`)).toEqual(LATER);
    fake.put(`${GROUP}/config`, config);
    await settled(one.app);
    expect([values, problemsOf(one)]).toEqual([['1'], []]);
  });

  it('in the keys of owners and members is respected', async () => {
    const fake = new FakeCluster();
    const { handler } = recording();
    await (await startInstance(fake, handler))[Symbol.asyncDispose]();
    const before = cursorOf(fake, 0);
    fake.putAll({ [`${GROUP}/owners/000`]: LATER, '/co/v1/instances/later': LATER });
    await using one = await startInstance(fake, handler, { settle: false });
    await eventually(() => fake.get(`${GROUP}/owners/001`) !== undefined);
    fake.advance(70_000);
    await settled(one.app);
    expect([fake.json(`${GROUP}/owners/000`), fake.json('/co/v1/instances/later')]).toEqual([LATER, LATER]);
    expect(cursorOf(fake, 0)).toEqual(before);
  });

  it('in additional fields of the configuration is kept by a repartition and a reset', async () => {
    const fake = new FakeCluster();
    await (await startInstance(fake, recording(2).handler))[Symbol.asyncDispose]();
    fake.put(`${GROUP}/config`, { ...(fake.json(`${GROUP}/config`) as object), added: [1] });
    await using one = await startInstance(fake, recording(3).handler, { settle: false });
    await one.app.get(GroupRegistry).repartition('billing', 3);
    expect(fake.json(`${GROUP}/config`)).toMatchObject({ partitions: 3, added: [1] });
    await settled(one.app);
    await one.app.get(GroupRegistry).reset('billing', { from: 'now' });
    expect(fake.json(`${GROUP}/config`)).toMatchObject({ v: 1, target: 'prefix:/orders/', partitions: 3, added: [1] });
  });

  it('in additional fields of a parked event is kept while it is redriven and parked again', async () => {
    const fake = new FakeCluster();
    let calls = 0;
    const handler = groupHandlerOf(() => {
      calls += 1;
      throw new TypeError('broken');
    }, PARKING);
    await using one = await startInstance(fake, handler);
    fake.put('/orders/a', '1');
    await settled(one.app);
    const [key = ''] = fake.keys(`${GROUP}/parked/`);
    fake.put(key, { ...(fake.json(key) as object), added: { by: 'a later version' } });
    await one.app.get(GroupRegistry).redrive('billing');
    await eventually(() => calls === 2);
    await eventually(() => (fake.json(key) as { readonly attempts: number }).attempts === 2);
    expect(fake.json(key)).toMatchObject({ added: { by: 'a later version' } });
    expect(fake.json(key)).not.toHaveProperty('others');
  });

  it('in additional fields of a cursor is reported once when an instance stores the cursor without them', async () => {
    const fake = new FakeCluster();
    const { handler } = recording();
    await (await startInstance(fake, handler))[Symbol.asyncDispose]();
    for (const partition of [0, 1])
      fake.put(`${GROUP}/cursors/00${partition}`, { ...cursorOf(fake, partition), added: 1 });
    const logger = new CollectingLogger();
    await using one = await startInstance(fake, handler, { logger });
    await settled(one.app);
    expect([cursorOf(fake, 0), cursorOf(fake, 1)].map((cursor) => cursor?.added)).toEqual([undefined, undefined]);
    expect(logger.text.split('has stored more in the cursors of the group "billing" ("added")')).toHaveLength(2);
  });
});
