import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { FixtureProcess } from '../support/fixture-process.js';
import { ownEtcd } from '../support/own-etcd.js';
import { POD_ROUNDS, POD_TIMEOUT_MS, reportRounds } from '../support/pod-rounds.js';
import { startApp } from '../support/start-app.js';
import { TakeOvers } from '../support/take-overs.js';

const TTL_MS = 5_000;
const PROCESSES = 4;

/** Milliseconds of the clock that all processes of the machine share. */
const now = (): number => Number(process.hrtime.bigint() / 1_000n) / 1_000;
const ascending = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);

/** Processes that acquire the same lock again and again. */
class Contenders implements AsyncDisposable {
  readonly byPod = new Map<string, FixtureProcess>();
  readonly #hosts: readonly string[];

  constructor(hosts: readonly string[]) {
    this.#hosts = hosts;
    for (let index = 0; index < PROCESSES; index += 1) this.start();
  }

  get all(): FixtureProcess[] {
    return [...this.byPod.values()];
  }

  /** Token and time of each acquisition. */
  get acquired(): number[][] {
    return this.all.flatMap((each) => each.numbers('acquired'));
  }

  start(): void {
    const pod = `pod-${this.byPod.size}`;
    this.byPod.set(pod, new FixtureProcess('lock.mjs', this.#hosts.join(), pod));
  }

  /** Resolves when a later caller has the lock, to the time of that. */
  takenAfter(token: number): Promise<number> {
    return eventually(() => {
      const [, at] = this.acquired.find(([later = 0]) => later > token) ?? [];
      if (at === undefined) throw new Error(`nobody has acquired the lock after ${token}`);
      return at;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.all.map((each) => each[Symbol.asyncDispose]()));
  }
}

describe('a lock of several processes', () => {
  const etcd = ownEtcd({ size: 3 });

  /** The first key of the queue. */
  const owner = async () => {
    const { kvs } = await etcd.direct.getAll().prefix('/coordination/v1/locks/job/').exec();
    const [first] = kvs.sort((a, b) => Number(a.create_revision) - Number(b.create_revision));
    if (!first) throw new Error('the queue is empty');
    const { pod } = JSON.parse(first.value.toString()) as { readonly pod: string };
    return { pod, token: Number(first.create_revision) };
  };

  const leaderChanges = () => eventually(() => etcd.first.metric('etcd_server_leader_changes_seen_total'));

  it(
    'has one holder, in the order of the queue, while owners are killed and stopped',
    { timeout: POD_TIMEOUT_MS },
    async () => {
      await using observer = await startApp({ hosts: etcd.hosts });
      const effects: number[] = [];
      await observer.watcher.watch({ key: '/effects' }, ({ value }) => {
        effects.push(Number(value));
      });
      await using contenders = new Contenders(etcd.hosts);
      /** Stops the process that owns the lock. Continues it and tries again if it has given the lock up meanwhile. */
      const stopOwner = () =>
        eventually(async () => {
          const { pod, token } = await owner();
          const child = contenders.byPod.get(pod);
          if (!child?.output.includes(`acquired ${token} `)) throw new Error(`${pod} has not acquired the lock yet`);
          child.signal('SIGSTOP');
          if ((await owner()).token === token) return { child, token, stoppedAt: now() };
          child.signal('SIGCONT');
          throw new Error(`${pod} has released the lock meanwhile`);
        });

      await eventually(() => contenders.all.every((each) => each.numbers('acquired').length > 0));
      await using takeOvers = new TakeOvers(() => etcd.direct.get('/').exec());
      const continued: { readonly child: FixtureProcess; readonly token: number }[] = [];
      for (let round = 0; round < POD_ROUNDS; round += 1) {
        const changes = await leaderChanges();
        takeOvers.begin();
        const { child, token, stoppedAt } = await stopOwner();
        if (round % 2 === 0) {
          await child.end('SIGKILL');
          contenders.start();
        }
        const tookMs = (await contenders.takenAfter(token)) - stoppedAt;
        // After an election, etcd gives each lease its full time again.
        if ((await leaderChanges()) === changes) takeOvers.add(tookMs);
        if (round % 2 === 0) continue;
        child.signal('SIGCONT');
        continued.push({ child, token });
        await eventually(() => child.output.includes(`failed ETCD_LOCK_LOST ${token} `));
      }
      const count = contenders.acquired.length;
      await eventually(() => contenders.acquired.length > count + PROCESSES);

      const byTime = contenders.acquired.sort(([, a = 0], [, b = 0]) => a - b);
      const tokens = byTime.map(([token = 0]) => token);
      const samples = contenders.all.flatMap((each) => each.numbers('held'));
      const heldAtOnce = overlaps(samples);
      reportRounds('lock', {
        acquisitions: tokens.length,
        'samples of held': samples.length,
        'held at once': heldAtOnce.length,
        'fenced writes': effects.length,
        'writes of a past owner': effects.filter((token, index) => token < (effects[index - 1] ?? 0)).length,
        ...takeOvers.figures,
      });
      expect(tokens).toEqual(ascending([...new Set(tokens)]));
      expect(effects).toEqual(ascending(effects));
      expect(heldAtOnce).toEqual([]);
      for (const { child, token } of continued) {
        expect(child.output).toContain(`refused ${token} ETCD_FENCE_LOST held=false`);
        expect(child.output).toContain(`failed ETCD_LOCK_LOST ${token} aborted=true`);
      }
      expect(takeOvers.longestQuietMs).toBeLessThan(TTL_MS + 1_000);
    },
  );
});

/**
 * A lock is held from its first sample to its last one: at least from the end of the first reading to the beginning of
 * the last one. Returns the pairs of tokens that are held at once.
 *
 * @param samples token, begin and end of each reading that was true
 */
function overlaps(samples: readonly (readonly number[])[]): [number, number][] {
  const intervals = new Map<number, { from: number; to: number }>();
  for (const [token = 0, begin = 0, end = 0] of samples) {
    const interval = intervals.get(token);
    if (interval) interval.to = begin;
    else intervals.set(token, { from: end, to: begin });
  }
  const all = [...intervals].filter(([, { from, to }]) => from < to);
  return all.flatMap(([one, a], index) =>
    all
      .slice(index + 1)
      .filter(([, b]) => a.from < b.to && b.from < a.to)
      .map(([other]): [number, number] => [one, other]),
  );
}
