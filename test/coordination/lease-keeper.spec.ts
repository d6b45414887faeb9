import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it, vi } from 'vitest';
import { SYSTEM_LEASE_CLOCK } from '../../lib/backend/lease-clock.js';
import { LeaseKeeper } from '../../lib/coordination/lease-keeper.js';
import { InstanceLog } from '../../lib/etcd-trigger.log.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';
import { type Fate, FATE_PAIRS, UnreliableKeyValue } from '../store/writing/unreliable-key-value.js';
import { openBackend } from '../testing/contract/open-backend.js';

const KEY = '/owner';
/** Its answer is lost, and it arrives when the test says so. */
const LATE: Fate = { delayed: Infinity };
const barrierKey = (lease: string): string => `/leases/${lease}`;
const log = new InstanceLog(quiet, { serviceName: 's', podName: 'p' });

/** @param answerMs time until the answers to the first request for a lease, and to each renewal */
function start(fates: readonly Fate[] = [], answerMs: { readonly grant?: number; readonly renewal?: number } = {}) {
  const fake = new FakeCluster();
  const backend = openBackend(fake);
  let onRequest = (): void => undefined;
  const keyValue = new UnreliableKeyValue(backend.keyValue, fates, () => {
    onRequest();
  });
  const { leases, leaseClock = SYSTEM_LEASE_CLOCK } = backend;
  let passedMs = 0;
  const clock = { ...leaseClock, now: () => leaseClock.now() + passedMs };
  const grant = leases.grant.bind(leases);
  const granted: string[] = [];
  leases.grant = async (ttlSeconds) => {
    const lease = await grant(ttlSeconds);
    if (granted.push(lease.id) === 1) passedMs += answerMs.grant ?? 0;
    return lease;
  };
  const renew = leases.renew.bind(leases);
  leases.renew = async (...args) => {
    const isRenewed = await renew(...args);
    passedMs += answerMs.renewal ?? 0;
    return isRenewed;
  };
  const keeper = new LeaseKeeper({ leases, keyValue, clock, log, barrierKey, ttlSeconds: 6, marginMs: undefined });
  return {
    fake,
    keyValue,
    keeper,
    leases,
    granted,
    /** Like a blocked event loop: no timer runs. */
    block: (ms: number) => {
      passedMs += ms;
    },
    onNextRequest: (call: () => void) => {
      onRequest = call;
    },
    /** Lets the keeper renew the lease, and so compare its keys. */
    renew: () => {
      fake.advance(2_000);
    },
    [Symbol.dispose]: () => {
      keeper.stop();
      backend.close();
    },
  };
}

const never = new AbortController().signal;
const value = Buffer.from('us');

describe('the keeper of the lease', () => {
  it.each(FATE_PAIRS)('creates a key once although answers are lost: %j, %j', async (...fates) => {
    using started = start(fates);
    const { fake, keeper, keyValue } = started;
    const lease = await keeper.lease(never);
    const outcome = await keeper.create(lease, { rawKey: KEY, value }, never);
    await keyValue.applyAllDelayed();

    expect(fake.get(KEY)).toMatchObject({ lease: lease.id, version: 1 });
    expect(outcome).toEqual({ created: true, createRevision: fake.get(KEY)?.createRevision });
  });

  it('requests another lease if the answer comes too late to rely on it, and revokes the first one', async () => {
    using started = start([], { grant: 5_000 });
    const { keeper, leases, granted } = started;
    const revoke = vi.spyOn(leases, 'revoke');
    const lease = await keeper.lease(never);

    expect([lease.held, lease.loss]).toEqual([true, undefined]);
    expect(granted).toEqual([granted[0], lease.id]);
    expect(revoke.mock.calls.map(([id]) => id)).toEqual(granted.slice(0, 1));
  });

  it('counts the deadline from the sending of a renewal, however late its answer is', async () => {
    using started = start([], { renewal: 3_000 });
    const { keeper, block, renew } = started;
    const lease = await keeper.lease(never);
    block(1_000);
    expect(lease.remainingMs).toBe(3_800);
    renew();
    // Neither as before the answer, nor as if it had not come.
    await eventually(() => ![3_800, 800].includes(lease.remainingMs));

    expect([lease.remainingMs, lease.held]).toEqual([1_800, true]);
    block(1_800);
    expect(lease.held).toBe(false);
  });

  it('renews its lease although etcd does not answer which keys it has', async () => {
    using started = start();
    const { keeper, leases, renew } = started;
    const renewals = vi.spyOn(leases, 'renew');
    const questions = vi.fn(() => new Promise<never>(() => undefined));
    leases.keys = questions;
    await keeper.lease(never);
    await eventually(() => {
      renew();
      return renewals.mock.calls.length >= 3;
    });

    expect(questions).toHaveBeenCalledTimes(1);
  });

  it('does not begin to renew a lease that is granted after the end', async () => {
    using started = start();
    const { keeper, leases } = started;
    const grant = leases.grant.bind(leases);
    leases.grant = async (ttlSeconds) => {
      keeper.stop();
      return grant(ttlSeconds);
    };

    await expect(keeper.lease(never)).rejects.toThrow();
    expect(keeper.current).toBe(undefined);
  });

  it.each(FATE_PAIRS)('reports the key of another client although answers are lost: %j, %j', async (...fates) => {
    using started = start(fates);
    const { fake, keeper } = started;
    fake.put(KEY, 'other');
    const outcome = await keeper.create(await keeper.lease(never), { rawKey: KEY, value }, never);

    expect(outcome).toMatchObject({ created: false, current: [{ lease: undefined }] });
    expect(fake.text(KEY)).toBe('other');
  });

  it.each(FATE_PAIRS)('leaves no key behind when the creation is given up: %j, %j', async (...fates) => {
    using started = start(fates);
    const { fake, keeper, keyValue, onNextRequest, renew } = started;
    const giveUp = new AbortController();
    const lease = await keeper.lease(never);
    onNextRequest(() => {
      giveUp.abort();
    });
    const creating = keeper.create(lease, { rawKey: KEY, value }, giveUp.signal);

    await expect(creating).rejects.toThrow();
    const isDelayed = fates.some((fate) => typeof fate === 'object');
    if (!isDelayed) await eventually(() => fake.get(KEY) === undefined);
    await keyValue.applyAllDelayed();
    // A request that arrives later than the deletion is found by the comparison.
    await eventually(() => {
      renew();
      return fake.get(KEY) === undefined;
    });
  });

  it('lets no creation be applied after the removal of its key, once for each lost answer', async () => {
    using started = start([LATE, 'answered', 'answered', 'answered', LATE]);
    const { fake, keeper, keyValue } = started;
    const lease = await keeper.lease(never);
    for (let time = 0; time < 2; time += 1) {
      expect(await keeper.create(lease, { rawKey: KEY, value }, never)).toMatchObject({ created: true });
      await keeper.remove(lease, KEY);
    }
    await keyValue.applyAllDelayed();

    expect(fake.get(KEY)).toBe(undefined);
    expect(await keeper.create(lease, { rawKey: KEY, value }, never)).toMatchObject({ created: true });
  });

  it('lets no creation be applied that it has given up', async () => {
    using started = start([LATE]);
    const { fake, keeper, keyValue, onNextRequest } = started;
    const lease = await keeper.lease(never);
    const giveUp = new AbortController();
    onNextRequest(() => {
      giveUp.abort();
    });
    await expect(keeper.create(lease, { rawKey: KEY, value }, giveUp.signal)).rejects.toThrow();
    // A key is created again when its removal is confirmed.
    await keeper.create(lease, { rawKey: KEY, value }, never);
    fake.delete(KEY);
    await keyValue.applyAllDelayed();

    expect(fake.get(KEY)).toBe(undefined);
  });

  it('lets no creation be applied after another client has had the key', async () => {
    using started = start([LATE]);
    const { fake, keeper, keyValue } = started;
    const lease = await keeper.lease(never);
    fake.put(KEY, 'other');
    expect(await keeper.create(lease, { rawKey: KEY, value }, never)).toMatchObject({ created: false });
    await keeper.remove(lease, KEY);
    fake.delete(KEY);
    await keyValue.applyAllDelayed();

    expect(fake.get(KEY)).toBe(undefined);
  });

  it('lets no removal delete the key that it has created again', async () => {
    using started = start(['answered', LATE]);
    const { fake, keeper, keyValue } = started;
    const lease = await keeper.lease(never);
    await keeper.create(lease, { rawKey: KEY, value }, never);
    await keeper.remove(lease, KEY);
    const outcome = await keeper.create(lease, { rawKey: KEY, value }, never);
    await keyValue.applyAllDelayed();

    expect(outcome).toEqual({ created: true, createRevision: fake.get(KEY)?.createRevision });
  });

  it('creates and removes keys although an operator deletes the write barrier', async () => {
    using started = start([LATE, 'answered', 'answered', 'answered']);
    const { fake, keeper } = started;
    const lease = await keeper.lease(never);
    for (const isDeleted of [false, true]) {
      if (isDeleted) expect(fake.delete(barrierKey(lease.id)).deleted).toBe(1);
      expect(await keeper.create(lease, { rawKey: KEY, value }, never)).toMatchObject({ created: true });
      await keeper.remove(lease, KEY);
      expect(fake.get(KEY)).toBe(undefined);
    }
  });

  it.each(FATE_PAIRS)(
    'removes a key although answers are lost, before it creates it again: %j, %j',
    async (...fates) => {
      using started = start(['answered', ...fates]);
      const { keeper, keyValue } = started;
      const lease = await keeper.lease(never);
      const first = await keeper.create(lease, { rawKey: KEY, value }, never);
      const [, second] = await Promise.all([
        keeper.remove(lease, KEY),
        keeper.create(lease, { rawKey: KEY, value }, never),
      ]);
      await keyValue.applyAllDelayed();

      expect([first.created, second.created]).toEqual([true, true]);
      expect(second).not.toEqual(first);
    },
  );

  it('does not remove a key that another client has taken', async () => {
    using started = start();
    const { fake, keeper } = started;
    const lease = await keeper.lease(never);
    await keeper.create(lease, { rawKey: KEY, value }, never);
    fake.put(KEY, 'other');
    await keeper.remove(lease, KEY);

    expect(fake.text(KEY)).toBe('other');
  });

  it.each(FATE_PAIRS)('updates a key, the last value last, although answers are lost: %j, %j', async (...fates) => {
    using started = start(['answered', ...fates]);
    const { fake, keeper, keyValue } = started;
    const lease = await keeper.lease(never);
    await keeper.create(lease, { rawKey: KEY, value }, never);
    expect(await keeper.update(lease, KEY, Buffer.from('one'), never)).toBe(true);
    expect(await keeper.update(lease, KEY, Buffer.from('two'), never)).toBe(true);
    await keyValue.applyAllDelayed();

    expect([fake.text(KEY), fake.get(KEY)?.lease]).toEqual(['two', lease.id]);
  });

  it('reports a key that was deleted, and cannot update it', async () => {
    using started = start();
    const { fake, keeper, renew } = started;
    const lease = await keeper.lease(never);
    let isLost = false;
    await keeper.create(lease, { rawKey: KEY, value, onLost: () => (isLost = true) }, never);
    renew();
    await keeper.update(lease, KEY, value, never);
    expect(isLost).toBe(false);

    fake.delete(KEY);
    await eventually(() => {
      renew();
      return isLost;
    });
    expect(await keeper.update(lease, KEY, value, never)).toBe(false);
    expect(fake.get(KEY)).toBe(undefined);
  });

  it('has one lease at a time, and another one after a loss', async () => {
    using started = start();
    const { fake, keeper } = started;
    const [lease, same] = await Promise.all([keeper.lease(never), keeper.lease(never)]);
    expect(same).toBe(lease);

    fake.revokeLease(lease.id);
    fake.advance(2_000);
    await eventually(() => lease.loss === 'gone');
    expect((await keeper.lease(never)).id).not.toBe(lease.id);
  });

  it('revokes a lease that it has given up when nothing uses its keys any more', async () => {
    using started = start();
    const { fake, keeper } = started;
    const lease = await keeper.lease(never);
    await keeper.create(lease, { rawKey: KEY, value }, never);
    await keeper.create(lease, { rawKey: '/other', value }, never);
    fake.freeze();
    fake.advance(4_800);
    expect([lease.loss, lease.held]).toEqual(['expired', false]);

    fake.thaw();
    await keeper.remove(lease, KEY);
    expect(fake.keys()).toEqual(['/other']);
    await keeper.remove(lease, '/other');
    await eventually(() => {
      expect(() => {
        fake.put('/late', 'x', { lease: lease.id });
      }).toThrow(/lease not found/);
    });
  });

  it('revokes its lease at the end, but only deletes the unused keys if others are in use', async () => {
    using whole = start();
    using partly = start();
    for (const { keeper } of [whole, partly]) {
      const lease = await keeper.lease(never);
      for (const rawKey of [KEY, '/other']) await keeper.create(lease, { rawKey, value }, never);
    }
    await whole.keeper.close({ kept: [], withinMs: 1_000 });
    await partly.keeper.close({ kept: [KEY], withinMs: 1_000 });

    expect([whole.fake.keys(), partly.fake.keys()]).toEqual([[], [KEY]]);
  });

  it('ends at its limit although etcd does not answer', async () => {
    using started = start();
    const { fake, keeper } = started;
    const lease = await keeper.lease(never);
    fake.freeze();
    await keeper.close({ kept: [], withinMs: 50 });
    expect([lease.held, lease.signal.aborted, lease.loss]).toEqual([false, true, 'closed']);
  });
});
