import { setTimeout as sleep } from 'node:timers/promises';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type CoordinatedInstance, HeldSamples, startCoordinated } from '../support/coordinated-app.js';
import { eventually } from '../support/eventually.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { lead } from './recovery/members.js';

const TTL_MS = 5_000;

/** The claims of every kind, over all instances. */
const ownersOf = (instances: readonly CoordinatedInstance[]) => ({
  leaders: instances.filter(({ terms }) => terms.some(({ held }) => held)).length,
  holders: instances.filter(({ locks }) => locks.some(({ held }) => held)).length,
});
const hasOwners = (instances: readonly CoordinatedInstance[]): boolean => {
  const { leaders, holders } = ownersOf(instances);
  return leaders === 1 && holders === 1;
};

/** Work goes on, no tick was started twice, and never was anything owned twice. */
async function expectWork(instances: readonly CoordinatedInstance[], samples: HeldSamples): Promise<void> {
  const ticks = (): number[] => instances.flatMap((each) => each.ticks.map(({ scheduledAt }) => Number(scheduledAt)));
  const count = ticks().length;
  await eventually(() => hasOwners(instances) && ticks().length > count);
  await eventually(() => samples.count > 100);
  expect(samples.violations).toEqual([]);
  expect(ticks()).toHaveLength(new Set(ticks()).size);
}

describe('claims of several instances', () => {
  let etcd: EtcdTestCluster;
  beforeAll(async () => {
    etcd = await EtcdTestCluster.start({ size: 3 });
  });
  afterAll(async () => {
    await etcd.stop();
  });

  it('have one owner while the leader of etcd is moved, killed and stopped', async () => {
    await using a = await startCoordinated(etcd.hosts, 'a');
    await using b = await startCoordinated(etcd.hosts, 'b');
    const instances = [a, b];
    await eventually(() => hasOwners(instances));
    using samples = new HeldSamples(instances);
    const changes: (() => Promise<() => Promise<void>>)[] = [
      async () => {
        const leader = await etcd.leader();
        const other = etcd.members.find((member) => member !== leader);
        if (other) await lead(etcd, other);
        return () => Promise.resolve();
      },
      async () => {
        const leader = await etcd.leader();
        await leader.kill();
        return () => leader.start();
      },
      async () => {
        const leader = await etcd.leader();
        leader.pause();
        return () => {
          leader.resume();
          return Promise.resolve();
        };
      },
    ];
    for (const change of changes) {
      const undo = await change();
      await expectWork(instances, samples);
      await undo();
      await expectWork(instances, samples);
    }
  });

  it('are all given up while etcd is away for three times the time to live, and one instance takes each then', async () => {
    using proxyA = await TcpProxy.start(etcd.first.clientPort);
    using proxyB = await TcpProxy.start(etcd.first.clientPort);
    await using a = await startCoordinated(proxyA.endpoint, 'a');
    await using b = await startCoordinated(proxyB.endpoint, 'b');
    const instances = [a, b];
    await eventually(() => hasOwners(instances));
    using samples = new HeldSamples(instances);
    for (const proxy of [proxyA, proxyB]) {
      proxy.refuse();
      proxy.cut();
    }
    await eventually(() => instances.every(({ held }) => held.length === 0), { withinMs: TTL_MS });
    const terms = instances.flatMap((each) => [...each.terms, ...each.locks]);
    await eventually(() => terms.every(({ signal }) => signal.aborted));
    await sleep(2 * TTL_MS);
    expect(instances.flatMap((each) => [...each.terms, ...each.locks])).toHaveLength(terms.length);
    for (const proxy of [proxyA, proxyB]) await proxy.accept();
    await expectWork(instances, samples);
  });

  it.each(['up', 'down'] as const)(
    'go to another instance when the owner sends or receives nothing: %s',
    async (way) => {
      using proxy = await TcpProxy.start(etcd.first.clientPort);
      await using cut = await startCoordinated(proxy.endpoint, 'cut');
      await eventually(() => cut.held.length === 2);
      await using other = await startCoordinated(etcd.hosts, 'other');
      const instances = [cut, other];
      using samples = new HeldSamples(instances);
      const [term, lock] = cut.held;
      proxy.freeze(way);
      await eventually(() => other.held.length === 2);
      expect([cut.held, term?.signal.aborted, lock?.signal.aborted]).toEqual([[], true, true]);
      proxy.thaw(way);
      await expectWork(instances, samples);
    },
  );
});
