import { setTimeout as sleep } from 'node:timers/promises';
import { GroupRegistry, type WatchEvent } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { type BackendOptions, type BackendSource, OPEN_BACKEND } from '../../../lib/backend/cluster-backend.js';
import { eventually } from '../../support/eventually.js';
import { cursorOf, groupHandlerOf, startInstance } from './group-app.js';

const CURSOR = '/co/v1/groups/billing/cursors/000';
const SHUTDOWN = { shutdown: { drainTimeoutMs: 600_000 } };

/** Answers no reads, or no writes, of cursors. */
class SilentCursor implements BackendSource {
  readonly fake: FakeCluster;
  readonly #kind: 'reads' | 'writes';
  requests = 0;

  constructor(fake: FakeCluster, kind: 'reads' | 'writes') {
    this.fake = fake;
    this.#kind = kind;
  }

  [OPEN_BACKEND](options: BackendOptions) {
    const backend = this.fake[OPEN_BACKEND](options);
    const { keyValue } = backend;
    const get = keyValue.get.bind(keyValue);
    const commit = keyValue.commit.bind(keyValue);
    const noAnswer = (): Promise<never> => {
      this.requests += 1;
      return new Promise(() => undefined);
    };
    if (this.#kind === 'reads') keyValue.get = (rawKey) => (rawKey === CURSOR ? noAnswer() : get(rawKey));
    else
      keyValue.commit = (transaction) =>
        transaction.what.startsWith('store the cursor') ? noAnswer() : commit(transaction);
    return backend;
  }
}

describe('an instance of a group that shuts down while etcd is away', () => {
  it('waits until it is stored that a parked event was handled', async () => {
    const fake = new FakeCluster();
    const calls: string[] = [];
    let isBroken = true;
    let onCall = (): void => undefined;
    const handler = groupHandlerOf(
      ({ key }: WatchEvent) => {
        calls.push(key);
        if (isBroken) throw new TypeError();
        onCall();
      },
      { group: 'billing', onExhausted: 'park' },
    );
    const { app } = await startInstance(fake, handler, SHUTDOWN);
    fake.put('/orders/a', '1');
    await settled(app);
    isBroken = false;
    onCall = () => {
      fake.disconnect();
    };
    await app.get(GroupRegistry).redrive('billing');
    await eventually(() => calls.length === 2);
    onCall = () => undefined;

    const closing = app.close();
    // Longer than the deletion of keys is waited for.
    expect(await Promise.race([closing, sleep(5_000, 'still closing')])).toBe('still closing');
    fake.reconnect();
    await closing;
    await using next = await startInstance(fake, handler);
    await settled(next.app);
    expect(calls).toHaveLength(2);
  });

  it('does not wait until it is stored that a call is about to begin', async () => {
    const fake = new FakeCluster();
    const calls: string[] = [];
    const handler = groupHandlerOf(({ key }: WatchEvent) => calls.push(key));
    const before = await startInstance(fake, handler);
    await before[Symbol.asyncDispose]();
    // The last owner has died during a call.
    fake.put('/orders/a', '1');
    fake.put(CURSOR, { ...cursorOf(fake), released: undefined, stalls: 1 });

    const silent = new SilentCursor(fake, 'writes');
    const { app } = await startInstance(fake, handler, { ...SHUTDOWN, client: silent, settle: false });
    await eventually(() => silent.requests > 0);
    const begin = performance.now();
    await app.close();

    expect(calls).toEqual([]);
    expect(performance.now() - begin).toBeLessThan(5_000);
  });

  it('does not wait until a claim is answered', async () => {
    const silent = new SilentCursor(new FakeCluster(), 'reads');
    const handler = groupHandlerOf(() => undefined);
    const { app } = await startInstance(silent.fake, handler, { ...SHUTDOWN, client: silent, settle: false });
    await eventually(() => silent.requests > 0);
    const begin = performance.now();
    await app.close();

    expect(performance.now() - begin).toBeLessThan(5_000);
  });
});
