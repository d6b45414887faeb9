import { describe, expect, it } from 'vitest';
import { OWNER_KEY, ownClaim } from './own-claim.js';

describe('the fence of a claim', () => {
  it('is not held after the deadline of its lease, although no timer could run', async () => {
    using claimed = await ownClaim();
    const { fence } = claimed.claim;
    claimed.block(4_799);
    expect(fence.held).toBe(true);
    claimed.block(1);

    expect([fence.held, fence.signal.aborted]).toEqual([false, false]);
  });

  it('compares the create revision and the lease of its key', async () => {
    using claimed = await ownClaim();
    const { claim: own, lease } = claimed;
    const record = { createRevision: own.fence.token, lease: lease.id };

    expect(own.condition).toEqual({ rawKey: OWNER_KEY, createRevision: own.fence.token, lease: lease.id });
    expect(own.matches(record)).toBe(true);
    expect(own.matches({ ...record, lease: '1' })).toBe(false);
    expect(own.matches({ ...record, createRevision: own.fence.token + 1 })).toBe(false);
    expect(own.matches(undefined)).toBe(false);
  });
});
