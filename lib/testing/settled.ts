import { setTimeout as sleep } from 'node:timers/promises';
import { InvalidOptionsError } from '../etcd-trigger.errors.js';
import { ClusterRuntime } from '../module/cluster.runtime.js';
import type { ClusterActivity, RangeActivity } from '../backend/cluster-backend.js';

import { NotSettledError } from './etcd-testing.errors.js';
import { FakeBackend } from './fake/fake-backend.js';
import { FakeCluster } from './fake/fake-cluster.js';

/** An application, or a testing module. */
export interface SettlingApplication {
  /** @internal */
  get(type: typeof ClusterRuntime, options: { strict: false; each: true }): ClusterRuntime[];
}

/**
 * Resolves when everything that was written has been handed to every listener, the handlers have finished with it, and the store shows it: what a test
 * waits for instead of sleeping. Of a fake that is cut, frozen or denied it waits for what can still arrive. Handlers that are paused are not waited
 * for. Works on real etcd too.
 *
 * @param target the application, or the fake: then every application that runs on it
 * @throws NotSettledError after `timeoutMs` (default 5,000), naming what is still under way
 */
export async function settled(
  target: SettlingApplication | FakeCluster,
  { timeoutMs = 5_000 }: { readonly timeoutMs?: number } = {},
): Promise<void> {
  const until = performance.now() + timeoutMs;
  // What one look finds done may write in that very moment: done is what two looks find done.
  for (let calm = 0; ;) {
    const open = (await Promise.all(activitiesOf(target).map(openIn))).flat();
    calm = open.length === 0 ? calm + 1 : 0;
    if (calm === LOOKS) return;
    if (performance.now() >= until) throw new NotSettledError(timeoutMs, open);
    await sleep(POLL_MS);
  }
}

const LOOKS = 2;
const POLL_MS = 1;

function activitiesOf(target: SettlingApplication | FakeCluster): ClusterActivity[] {
  if (target instanceof FakeCluster) return target.activities;
  try {
    return target.get(ClusterRuntime, { strict: false, each: true }).map(({ activity }) => activity);
  } catch (cause) {
    throw new InvalidOptionsError('settled() is for a FakeCluster, or an application that imports EtcdTriggerModule', {
      cause,
    });
  }
}

async function openIn({ backend, ranges, busy }: ClusterActivity): Promise<string[]> {
  const looks = ranges.map(async (range) => {
    const isDone = backend instanceof FakeBackend ? isDoneOn(backend, range) : await isDoneAt(backend, range);
    return isDone
      ? []
      : [`${range.range.toString()}: ${range.state === 'interrupted' ? 'interrupted' : 'not everything is here'}`];
  });
  return [...busy, ...(await Promise.all(looks)).flat()];
}

const isDoneOn = (fake: FakeBackend, range: RangeActivity): boolean =>
  !fake.reaches(range.range) || (isAtIt(range) && range.hasCaughtUpWith(fake.held(range.range)));

/** One that is not opened yet counts: its list is all that it can know. */
const isAtIt = ({ state }: RangeActivity): boolean => state !== 'interrupted';

async function isDoneAt({ listWatcher }: ClusterActivity['backend'], range: RangeActivity): Promise<boolean> {
  try {
    const { stamps } = await listWatcher.stamps(range.range, { signal: AbortSignal.timeout(LOOK_LIMIT_MS) });
    return isAtIt(range) && range.hasCaughtUpWith(stamps);
  } catch {
    // Unreachable for now: the next look will tell.
    return false;
  }
}

const LOOK_LIMIT_MS = 1_000;
