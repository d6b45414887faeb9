import { setTimeout as sleep } from 'node:timers/promises';
import type { WatchEvent } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { type BackendOptions, type BackendSource, OPEN_BACKEND } from '../../../lib/backend/cluster-backend.js';
import { ConnectionError } from '../../../lib/etcd-trigger.errors.js';
import { Deferred } from '../../../lib/timing/deferred.js';
import { eventually } from '../../support/eventually.js';
import { startApp } from '../../support/start-app.js';
import { groupHandlerOf } from './group-app.js';

const REMEMBERED = 'prefix "/co/v1/groups/billing/keys/"';
const CURSOR = '/co/v1/groups/billing/cursors/001';
const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => `/orders/${key}`);

/** The first list of remembered keys fails, and the list of the target at a revision waits for `answer`. */
class SlowLists implements BackendSource {
  readonly #answered = new Deferred();
  readonly #fake: FakeCluster;
  readonly #slowRevision: () => number;
  failures = 0;
  waiting = 0;

  constructor(fake: FakeCluster, slowRevision: () => number) {
    this.#fake = fake;
    this.#slowRevision = slowRevision;
  }

  answer(): void {
    this.#answered.resolve();
  }

  [OPEN_BACKEND](options: BackendOptions) {
    const backend = this.#fake[OPEN_BACKEND](options);
    const { listWatcher } = backend;
    const list = listWatcher.list.bind(listWatcher);
    listWatcher.list = async (range, listOptions) => {
      if (range.toString() === REMEMBERED && (this.failures += 1) === 1) throw new ConnectionError('cut');
      if (range.toString() === 'prefix "/orders/"' && listOptions.revision === this.#slowRevision()) {
        this.waiting += 1;
        await this.#answered.promise;
      }
      return list(range, listOptions);
    };
    return backend;
  }
}

describe('partitions that continue together', () => {
  it('receive their lists once, although that of another one has failed', async () => {
    const fake = new FakeCluster();
    for (const key of KEYS) fake.put(key, '1');
    const calls: string[] = [];
    const start = (client: BackendSource, remember: 'nothing' | 'keys') =>
      startApp(
        { hosts: '', client, coordination: { prefix: '/co', settleMs: 0 }, shutdown: { drainTimeoutMs: 300 } },
        {
          providers: [
            groupHandlerOf(
              async ({ key }: WatchEvent) => {
                calls.push(key);
                // The second list would come during the calls.
                await sleep(50);
              },
              {
                group: { name: 'billing', partitions: 2, remember },
              },
            ),
          ],
        },
      );
    const before = await start(fake, 'nothing');
    await settled(fake);
    await before[Symbol.asyncDispose]();
    expect(calls.splice(0).sort()).toEqual(KEYS);

    const first = { v: 1, r: 0, done: [], phase: 'initial', stalls: 0, cluster: '', released: true, by: 'x', at: 0 };
    const { revision } = fake.put(CURSOR, first);
    const lists = new SlowLists(fake, () => revision);
    await using after = await start(lists, 'keys');
    await eventually(() => lists.failures > 0 && lists.waiting > 0);
    // More than the wait before the next attempt.
    await sleep(200);
    lists.answer();
    await settled(after.app);

    expect(calls.length).toBeGreaterThan(0);
    expect(calls).toEqual([...new Set(calls)]);
  });
});
