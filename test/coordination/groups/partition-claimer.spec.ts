import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { FenceRegistry } from '../../../lib/backend/fence.js';
import { SYSTEM_LEASE_CLOCK } from '../../../lib/backend/lease-clock.js';
import type { CoordinationContext } from '../../../lib/coordination/claim-keeper.js';
import { CoordinationKeys } from '../../../lib/coordination/coordination-keys.js';
import { PartitionClaimer } from '../../../lib/coordination/groups/partition-claimer.js';
import { LeaseKeeper } from '../../../lib/coordination/lease-keeper.js';
import { InstanceLog } from '../../../lib/etcd-trigger.log.js';
import { quiet } from '../../support/quiet-logger.js';
import { openBackend } from '../../testing/contract/open-backend.js';
import { cursorOf, groupHandlerOf, startInstance } from './group-app.js';

const CONFIG = '/co/v1/groups/billing/config';

describe('the claim of a partition', () => {
  it('is refused if the configuration was written since it was read, as by repartition and reset', async () => {
    const fake = new FakeCluster();
    await (
      await startInstance(
        fake,
        groupHandlerOf(() => undefined),
      )
    )[Symbol.asyncDispose]();
    const backend = openBackend(fake);
    const { leases, leaseClock: clock = SYSTEM_LEASE_CLOCK, keyValue } = backend;
    const log = new InstanceLog(quiet, { serviceName: 's', podName: 'p' });
    const keys = new CoordinationKeys('/co');
    const barrierKey = (lease: string): string => keys.barrier(lease);
    const keeper = new LeaseKeeper({ leases, keyValue, clock, log, barrierKey, ttlSeconds: 6, marginMs: undefined });
    const claimer = new PartitionClaimer({
      group: 'billing',
      partitions: 1,
      keys: keys.group('billing'),
      context: { keeper, keyValue, fences: new FenceRegistry(), log } as unknown as CoordinationContext,
      instance: { id: 'me', pod: 'p', service: 's' },
      stamp: () => ({ by: 'me/1', at: 0 }),
      onLost: () => undefined,
    });
    const { signal } = new AbortController();
    const read = fake.get(CONFIG)?.revision ?? 0;
    const written = fake.put(CONFIG, fake.get(CONFIG)?.value ?? '').revision;
    const cursor = cursorOf(fake);
    expect(await claimer.claim(0, read, signal)).toBe(undefined);
    expect(cursorOf(fake)).toEqual(cursor);
    expect((await claimer.claim(0, written, signal))?.cursor).toMatchObject({ r: cursor?.r });
    keeper.stop();
    backend.close();
  });
});
