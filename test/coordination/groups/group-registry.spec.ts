import { GroupRegistry, InvalidOptionsError } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { describeEvent, groupHandlerOf, Journal, startInstance } from './group-app.js';

type Call = (registry: GroupRegistry, name: string) => Promise<unknown>;

const CALLS: [what: string, call: Call][] = [
  ['read the parked events of', (registry, name) => registry.parked(name)],
  ['redrive the parked events of', (registry, name) => registry.redrive(name)],
  ['repartition', (registry, name) => registry.repartition(name, 2)],
  ['reset', (registry, name) => registry.reset(name, { from: 'now' })],
];

describe('the registry of groups', () => {
  it.each(CALLS)('refuses to %s a group that etcd does not have', async (what, call) => {
    const fake = new FakeCluster();
    await using started = await startInstance(
      fake,
      groupHandlerOf(() => undefined),
    );
    const registry = started.app.get(GroupRegistry);
    const refused = call(registry, 'biling');

    await expect(refused).rejects.toThrow(InvalidOptionsError);
    await expect(refused).rejects.toThrow(
      `${what} the group "biling": etcd has no such group; no instance has used it yet`,
    );
    expect(fake.keys('/co/v1/groups/biling')).toEqual([]);
    await expect(call(registry, 'a/b')).rejects.toThrow(/^the name of a group must be 1 to 128 of the characters/);
  });

  it('reads and redrives nothing of an own group without parked events, even before etcd has it', async () => {
    const fake = new FakeCluster();
    const start = () =>
      startInstance(
        fake,
        groupHandlerOf(() => undefined),
      );
    await using started = await start();
    const registry = started.app.get(GroupRegistry);

    expect([await registry.parked('billing'), await registry.redrive('billing')]).toEqual([[], 0]);
    for (const key of fake.keys('/co/v1/groups/')) fake.delete(key);
    expect([await registry.parked('billing'), await registry.redrive('billing')]).toEqual([[], 0]);
  });

  it.each([
    ['existing', ['/orders/bad=1 initial']],
    ['now', []],
  ] as const)('keeps parked events at a reset from %s, and redrives each once', async (from, begun) => {
    const fake = new FakeCluster();
    const journal = new Journal();
    let isDown = true;
    const provider = groupHandlerOf(
      (event, context) => {
        journal.lines.push(describeEvent(event, context));
        if (isDown) throw new Error('down');
      },
      { group: 'billing', onExhausted: 'park' },
    );
    await using started = await startInstance(fake, provider);
    const registry = started.app.get(GroupRegistry);
    fake.put('/orders/bad', '1');
    await settled(fake);
    expect(journal.take()).toEqual(['/orders/bad=1 live']);

    await registry.reset('billing', { from });
    await settled(fake);
    expect(journal.take()).toEqual(begun);
    expect(await registry.parked('billing')).toHaveLength(1);

    isDown = false;
    await registry.redrive('billing');
    await settled(fake);
    expect(journal.take()).toEqual(['/orders/bad=1 live again']);
    expect(await registry.parked('billing')).toEqual([]);
  });
});
