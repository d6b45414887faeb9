import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { FenceRegistry } from '../../lib/backend/fence.js';
import { SYSTEM_LEASE_CLOCK } from '../../lib/backend/lease-clock.js';
import { Claim } from '../../lib/coordination/claim.js';
import { LeaseKeeper } from '../../lib/coordination/lease-keeper.js';
import { InstanceLog } from '../../lib/etcd-trigger.log.js';
import { quiet } from '../support/quiet-logger.js';
import { openBackend } from '../testing/contract/open-backend.js';

export const OWNER_KEY = '/owner';

/** A claim on a fake, with a time to live of six seconds and a deadline after 4.8 seconds. */
export async function ownClaim() {
  const fake = new FakeCluster();
  const backend = openBackend(fake);
  const { leases, leaseClock = SYSTEM_LEASE_CLOCK, keyValue } = backend;
  let passedMs = 0;
  const clock = { ...leaseClock, now: () => leaseClock.now() + passedMs };
  const log = new InstanceLog(quiet, { serviceName: 's', podName: 'p' });
  const barrierKey = (id: string): string => `/leases/${id}`;
  const keeper = new LeaseKeeper({ leases, keyValue, clock, log, barrierKey, ttlSeconds: 6, marginMs: undefined });
  const { signal } = new AbortController();
  const lease = await keeper.lease(signal);
  const outcome = await keeper.create(lease, { rawKey: OWNER_KEY, value: Buffer.from('us') }, signal);
  if (!outcome.created) throw new Error('the key exists');
  const { createRevision } = outcome;
  const fences = new FenceRegistry();
  return {
    fake,
    keyValue,
    lease,
    claim: new Claim({ name: 'job', rawKey: OWNER_KEY, createRevision, lease, keeper, keyValue, fences }),
    /** Like a blocked event loop: no timer runs. */
    block: (ms: number) => {
      passedMs += ms;
    },
    [Symbol.dispose]: () => {
      keeper.stop();
      backend.close();
    },
  };
}
