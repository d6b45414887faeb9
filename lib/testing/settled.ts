import { setTimeout as sleep } from 'node:timers/promises';
import type { ClusterActivity, RangeActivity } from '../backend/cluster-backend.js';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { ClusterRuntime } from '../module/cluster.runtime.js';
import { checkMilliseconds } from '../option-checks.js';
import { checkOptions } from './argument-checks.js';
import { NotSettledError } from './etcd-testing.errors.js';
import { FakeBackend } from './fake/fake-backend.js';
import { FakeCluster } from './fake/fake-cluster.js';
import type { SettlingApplication } from './settling-application.js';

/** A handler that has just finished may still have written something: only two idle polls in a row count. */
const IDLE_POLLS = 2;
const POLL_INTERVAL_MS = 1;
const STAMPS_TIMEOUT_MS = 1_000;

/**
 * Resolves when every write has been delivered to every listener, the handlers have finished and the store shows the
 * result. Use it in tests instead of sleeping. On a fake that is disconnected, frozen or denied, it waits only for what
 * can still arrive. Paused and halted handlers are ignored. Works on real etcd too.
 *
 * @param target the application, or the fake to wait for every application that runs on it
 * @throws NotSettledError after `timeoutMs` (default 5,000); the error names the pending work
 * @throws InvalidOptionsError if the application has handlers, but is not initialized
 */
export async function settled(
  target: SettlingApplication | FakeCluster,
  options: { readonly timeoutMs?: number | undefined } = {},
): Promise<void> {
  checkOptions('settled()', options, { timeoutMs: true });
  const { timeoutMs = 5_000 } = options;
  checkMilliseconds('"timeoutMs" of settled()', timeoutMs, 0);
  if (!(target instanceof FakeCluster)) checkIsInitialized(activitiesOf(target));
  const deadline = performance.now() + timeoutMs;
  for (let idlePolls = 0; ;) {
    const pending = (await Promise.all(activitiesOf(target).map(pendingWorkOf))).flat();
    idlePolls = pending.length === 0 ? idlePolls + 1 : 0;
    if (idlePolls === IDLE_POLLS) return;
    if (performance.now() >= deadline) throw new NotSettledError(timeoutMs, pending);
    await sleep(POLL_INTERVAL_MS);
  }
}

function activitiesOf(target: SettlingApplication | FakeCluster): ClusterActivity[] {
  if (target instanceof FakeCluster) return target.activities;
  try {
    return target.get(ClusterRuntime, { strict: false, each: true }).map(({ activity }) => activity);
  } catch (cause) {
    throw new InvalidOptionsError('settled() needs a FakeCluster, or an application that imports EtcdTriggerModule', {
      cause,
    });
  }
}

function checkIsInitialized(activities: readonly ClusterActivity[]): void {
  const [handler] = activities.flatMap(({ unattached = [] }) => unattached);
  if (handler === undefined) return;
  throw new InvalidOptionsError(
    `settled(): ${handler} receives no events, because the application is not initialized: call "await app.init()" first`,
  );
}

/** Returns one line for each busy handler and for each range that has not caught up. */
async function pendingWorkOf({ backend, ranges, busy, due = [] }: ClusterActivity): Promise<string[]> {
  const begins = due.filter(({ range }) => !(backend instanceof FakeBackend) || backend.canReach(range));
  const pendingRanges = ranges.map(async (range) => {
    const isSettled =
      backend instanceof FakeBackend ? isSettledOnFake(backend, range) : await isSettledOnEtcd(backend, range);
    if (isSettled) return [];
    return [`${range.range.toString()}: ${range.state === 'interrupted' ? 'interrupted' : 'changes are missing'}`];
  });
  return [...busy, ...begins.map(({ name }) => name), ...(await Promise.all(pendingRanges)).flat()];
}

const isSettledOnFake = (fake: FakeBackend, range: RangeActivity): boolean =>
  !fake.canReach(range.range) || (isConnected(range) && range.hasCaughtUpWith(fake.recordsOf(range.range)));

async function isSettledOnEtcd({ listWatcher }: ClusterActivity['backend'], range: RangeActivity): Promise<boolean> {
  try {
    const { stamps } = await listWatcher.stamps(range.range, { signal: AbortSignal.timeout(STAMPS_TIMEOUT_MS) });
    return isConnected(range) && range.hasCaughtUpWith(stamps);
  } catch {
    // etcd cannot be reached now; the next poll asks again.
    return false;
  }
}

/** A range whose stream is not open yet counts as connected: it cannot know more than its list. */
const isConnected = ({ state }: RangeActivity): boolean => state !== 'interrupted';
