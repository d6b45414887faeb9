import { describe, expect, it } from 'vitest';
import { startCoordinated } from '../support/coordinated-app.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';

const PREFIX = '/coordination/v1';
const OWN_KEYS = [`${PREFIX}/elections/one`, `${PREFIX}/crons/tick/owner`, `${PREFIX}/services/app/a`];
/** Well below the period of the renewals, which would notice the loss, too. */
const NOTICED_MS = 1_000;

describe('claims that an operator takes away', () => {
  const etcd = ownEtcd();

  const records = async () => {
    const { kvs } = await etcd.direct.getAll().prefix(`${PREFIX}/`).exec();
    return new Map(kvs.map((kv) => [kv.key.toString(), kv]));
  };
  const start = async () => {
    const instance = await startCoordinated(etcd.hosts, 'a');
    await eventually(() => instance.held.length === 2 && instance.ticks.length > 0);
    return instance;
  };

  it('are all given up when the lease is revoked, and return under another lease', async () => {
    await using instance = await start();
    const before = await records();
    const [term, lock] = instance.held;
    const tick = instance.ticks.at(-1);
    const lease = before.get(`${PREFIX}/elections/one`)?.lease ?? '';
    const queued = [...before.keys()].filter((key) => key.startsWith(`${PREFIX}/locks/`));
    for (const key of [...OWN_KEYS, ...queued]) expect(before.get(key)?.lease).toBe(lease);

    await etcd.direct.leaseClient.leaseRevoke({ ID: lease });
    const revokedAt = performance.now();
    await eventually(() => !term?.held && !lock?.held && !tick?.fence.held);
    expect(performance.now() - revokedAt).toBeLessThan(NOTICED_MS);
    expect([term?.signal.aborted, lock?.signal.aborted, tick?.signal.aborted]).toEqual([true, true, true]);

    await eventually(async () => {
      const after = await records();
      expect(instance.held).toHaveLength(2);
      for (const key of OWN_KEYS) expect(after.get(key)?.lease).not.toBe(lease);
      expect([...after.keys()].filter((key) => key.startsWith(`${PREFIX}/locks/`))).toHaveLength(1);
    });
    const count = instance.ticks.length;
    await eventually(() => instance.ticks.length > count);
  });

  it('are given up alone when their key is deleted', async () => {
    await using instance = await start();
    const [term, lock] = instance.held;
    const queue = `${PREFIX}/locks/one/`;
    const deletions = [
      { key: `${PREFIX}/elections/one`, isHeld: () => term?.held },
      { key: `${PREFIX}/crons/tick/owner`, isHeld: () => instance.ticks.at(-1)?.fence.held },
      { key: queue, isHeld: () => lock?.held },
    ];
    for (const { key, isHeld } of deletions) {
      expect(isHeld()).toBe(true);
      const before = (await records()).get(`${PREFIX}/services/app/a`)?.create_revision;
      await etcd.direct.delete().prefix(key);
      const deletedAt = performance.now();
      await eventually(() => !isHeld());
      expect(performance.now() - deletedAt).toBeLessThan(NOTICED_MS);
      await eventually(() => instance.held.length === 2);
      expect((await records()).get(`${PREFIX}/services/app/a`)?.create_revision).toBe(before);
    }
    const count = instance.ticks.length;
    await eventually(() => instance.ticks.length > count);

    await etcd.direct.delete().key(`${PREFIX}/services/app/a`);
    await eventually(async () => (await records()).has(`${PREFIX}/services/app/a`));
    const seconds = instance.ticks.map(({ scheduledAt }) => scheduledAt.getTime() / 1_000);
    expect(seconds).toEqual(seconds.map((_, index) => (seconds[0] ?? 0) + index));
  });
});
