import { describe, expect, it } from 'vitest';
import { LastTick } from '../../lib/coordination/last-tick.js';
import { eventually } from '../support/eventually.js';
import { type Fate, FATE_PAIRS, UnreliableKeyValue } from '../store/writing/unreliable-key-value.js';
import { OWNER_KEY, ownClaim } from './own-claim.js';

const LAST = '/last';
const TICK = Date.parse('2000-01-01T00:01:00.000Z');

async function start(fates: readonly Fate[] = []) {
  const owned = await ownClaim();
  const keyValue = new UnreliableKeyValue(owned.keyValue, fates);
  const closing = new AbortController();
  const errors: unknown[] = [];
  const last = new LastTick({
    rawKey: LAST,
    instance: 'us',
    keyValue,
    onAnswer: (error) => {
      if (error !== undefined) errors.push(error);
    },
    closing: closing.signal,
  });
  const absent = { revision: 0, at: undefined, by: '' };
  const stored = { v: 1, scheduledAt: '2000-01-01T00:01:00.000Z', by: 'us/1' };
  return { ...owned, applyAllDelayed: () => keyValue.applyAllDelayed(), last, absent, stored, errors };
}
const always = (): boolean => true;

describe('the last tick of a cron job', () => {
  it.each(FATE_PAIRS)('is stored once although answers are lost: %j, %j', async (...fates) => {
    using started = await start(fates);
    const { fake, last, claim, absent, stored, applyAllDelayed } = started;
    const state = await last.put(claim, absent, TICK, always);
    await applyAllDelayed();

    expect([fake.json(LAST), fake.get(LAST)?.version]).toEqual([stored, 1]);
    expect(state).toEqual({ revision: fake.get(LAST)?.revision, at: TICK, by: 'us/1' });
  });

  it('is not stored over that of another instance', async () => {
    using started = await start();
    const { fake, last, claim, absent } = started;
    fake.put(LAST, 'other');

    expect(await last.put(claim, absent, TICK, always)).toBe(undefined);
    expect([fake.text(LAST), claim.isLost]).toEqual(['other', false]);
  });

  it('is not stored by an instance that no longer owns the job, which it learns so', async () => {
    using started = await start();
    const { fake, last, claim, absent } = started;
    fake.put(OWNER_KEY, 'another owner');
    expect(claim.isLost).toBe(false);

    expect(await last.put(claim, absent, TICK, always)).toBe(undefined);
    expect([fake.text(LAST), claim.isLost, claim.fence.signal.aborted]).toEqual([undefined, true, true]);
  });

  it('is not stored again at the end of the claim when etcd denies it', async () => {
    using started = await start();
    const { fake, last, claim, absent, errors } = started;
    fake.deny(LAST);
    const storing = last.put(claim, absent, TICK, () => !claim.fence.signal.aborted);
    await eventually(() => errors.length === 1);
    claim.abort();

    expect(await storing).toBe(undefined);
    expect(errors.length).toBe(1);
  });
});
