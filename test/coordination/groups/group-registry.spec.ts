import { GroupRegistry, InvalidOptionsError } from 'nestjs-etcd-trigger';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { groupHandlerOf, startInstance } from './group-app.js';

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
});
