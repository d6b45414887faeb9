import { Inject, Injectable } from '@nestjs/common';
import { ClusterCron, type ClusterCronTick, type CronDescription, EtcdTriggerInspector } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { startApp, type StartedApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';

/** The ticks of all instances, in the order of their calls. */
const JOURNAL = Symbol('Journal');

interface Journal {
  readonly ticks: ClusterCronTick[];
  /** Awaited by each call. */
  end: Promise<unknown> | undefined;
}

@Injectable()
class EverySecond {
  constructor(@Inject(JOURNAL) readonly journal: Journal) {}

  @ClusterCron('* * * * * *', { name: 'once' })
  async run(tick: ClusterCronTick): Promise<void> {
    this.journal.ticks.push(tick);
    await this.journal.end;
  }
}

@Injectable()
class Waiting extends EverySecond {
  @ClusterCron('* * * * * *', { name: 'once', overlap: 'wait' })
  override run(tick: ClusterCronTick): Promise<void> {
    return super.run(tick);
  }
}

@Injectable()
class Skipping extends EverySecond {
  @ClusterCron('0 0 0 1 * *', { name: 'skip', missed: 'skip', graceMs: 1_000 })
  override run(tick: ClusterCronTick): Promise<void> {
    return super.run(tick);
  }
}

@Injectable()
class Daily extends EverySecond {
  @ClusterCron('0 0 0 * * *', { name: 'daily', timeZone: 'UTC' })
  override run(tick: ClusterCronTick): Promise<void> {
    return super.run(tick);
  }
}

@Injectable()
class EachDay extends EverySecond {
  @ClusterCron('0 0 0 * * *', { name: 'each', timeZone: 'UTC', missed: 'all' })
  override run(tick: ClusterCronTick): Promise<void> {
    return super.run(tick);
  }
}

const DAY_MS = 86_400_000;

export function cronContract(cluster: () => ContractCluster): void {
  describe('cron jobs', () => {
    let journal: Journal = { ticks: [], end: undefined };
    let prefix = '';
    const beginTest = (name: string): void => {
      journal = { ticks: [], end: undefined };
      prefix = `/cron/${name}`;
    };
    const start = (job: typeof EverySecond): Promise<StartedApp> =>
      startApp(
        { hosts: '', client: cluster().client, coordination: { prefix, ttlSeconds: 60 } },
        { providers: [job, { provide: JOURNAL, useValue: journal }] },
      );
    const jobOf = ({ app }: StartedApp): CronDescription => {
      const [job] = app.get(EtcdTriggerInspector).describe().clusters[0]?.crons ?? [];
      if (!job) throw new Error('the application has no job');
      return job;
    };
    const isReady = (app: StartedApp): boolean => jobOf(app).state === 'owner' && jobOf(app).lastTick !== undefined;
    const scheduled = (): number[] => journal.ticks.map(({ scheduledAt }) => scheduledAt.getTime());
    const storeLast = async (name: string, at: number): Promise<void> => {
      const value = JSON.stringify({ v: 1, scheduledAt: new Date(at).toISOString(), by: 'test' });
      await cluster().write({ [`${prefix}/v1/crons/${name}/last`]: value });
    };
    const passUntil = async (condition: () => boolean): Promise<void> => {
      await eventually(async () => {
        if (!condition()) await cluster().pass(200);
        return condition();
      });
    };

    it('start each tick on one instance, and none twice', async () => {
      beginTest('one');
      await using first = await start(EverySecond);
      await using second = await start(EverySecond);
      await eventually(() => isReady(first) || isReady(second));
      await passUntil(() => journal.ticks.length >= 3);

      expect(new Set(scheduled()).size).toBe(journal.ticks.length);
      expect(scheduled()).toEqual([...scheduled()].sort((a, b) => a - b));
      expect(scheduled().every((at) => at % 1_000 === 0)).toBe(true);
      expect([jobOf(first), jobOf(second)].map(({ state }) => state).sort()).toEqual(['owner', 'standby']);
      const { started } = [jobOf(first), jobOf(second)].find(({ state }) => state === 'owner') ?? { started: 0 };
      expect(started).toBe(journal.ticks.length);
      await eventually(() => jobOf(first).lastTick === jobOf(second).lastTick);
    });

    it('go on at another instance with the next tick', async () => {
      beginTest('handover');
      const first = await start(EverySecond);
      await eventually(() => isReady(first));
      await using second = await start(EverySecond);
      await passUntil(() => journal.ticks.length >= 1);
      await first[Symbol.asyncDispose]();
      const before = journal.ticks.length;
      await eventually(() => isReady(second));
      await passUntil(() => journal.ticks.length > before + 1);

      expect(new Set(scheduled()).size).toBe(journal.ticks.length);
      expect(journal.ticks.slice(0, before).map(({ signal }) => signal.aborted)).not.toContain(false);
      expect(journal.ticks.at(-1)?.fence.held).toBe(true);
      expect(journal.ticks.at(-1)?.fence.token).toBeGreaterThan(journal.ticks[0]?.fence.token ?? Infinity);
    });

    it('miss nothing before the first start', async () => {
      beginTest('first');
      const before = cluster().now();
      await using app = await start(Daily);
      await eventually(() => isReady(app));
      const job = jobOf(app);

      expect(Date.parse(job.lastTick ?? '')).toBeGreaterThanOrEqual(before);
      expect(job).toMatchObject({
        name: 'daily',
        method: 'Daily.run',
        expression: '0 0 0 * * *',
        started: 0,
        missed: 0,
      });
      expect(Date.parse(job.nextTick ?? '') % DAY_MS).toBe(0);
    });

    it('make up for missed ticks with one call', async () => {
      beginTest('once');
      const today = Math.floor(cluster().now() / DAY_MS) * DAY_MS;
      await storeLast('daily', today - 3 * DAY_MS);
      await using app = await start(Daily);
      await eventually(() => journal.ticks.length === 1);
      const [tick] = journal.ticks;

      expect(tick?.scheduledAt.getTime()).toBe(today);
      expect(tick?.missed.map((at) => at.getTime())).toEqual([today - 2 * DAY_MS, today - DAY_MS]);
      await eventually(() => jobOf(app).lastTick === new Date(today).toISOString());
      expect(jobOf(app).missed).toBeGreaterThanOrEqual(2);
    });

    it('make up for missed ticks one by one, at most 100 of them', async () => {
      beginTest('all');
      const today = Math.floor(cluster().now() / DAY_MS) * DAY_MS;
      await storeLast('each', today - 150 * DAY_MS);
      await using app = await start(EachDay);
      await eventually(() => jobOf(app).lastTick === new Date(today).toISOString());
      await eventually(() => !jobOf(app).running);

      expect(scheduled().slice(-100)).toEqual(Array.from({ length: 100 }, (_, index) => today - (99 - index) * DAY_MS));
      expect(journal.ticks.length).toBeLessThanOrEqual(101);
      expect(new Set(journal.ticks.map(({ missed }) => missed.length))).toEqual(new Set([0]));
    });

    it('drop missed ticks', async () => {
      beginTest('skip');
      const last = cluster().now() - 100 * DAY_MS;
      await storeLast('skip', last);
      await using app = await start(Skipping);
      await eventually(() => Date.parse(jobOf(app).lastTick ?? '') > last);

      expect([journal.ticks.length, jobOf(app).started]).toEqual([0, 0]);
      expect(jobOf(app).missed).toBeGreaterThanOrEqual(2);
    });

    it('drop the ticks that are due while a call is running', async () => {
      beginTest('overlap');
      let end = (): void => undefined;
      journal.end = new Promise<void>((resolve) => (end = resolve));
      await using app = await start(EverySecond);
      await eventually(() => isReady(app));
      await passUntil(() => jobOf(app).skipped >= 2);
      expect([journal.ticks.length, jobOf(app).running, jobOf(app).missed]).toEqual([1, true, 0]);
      end();
      await passUntil(() => journal.ticks.length >= 2);

      const [first = 0, second = 0] = scheduled();
      expect(second - first).toBeGreaterThanOrEqual(3_000);
      expect(journal.ticks[1]?.missed).toEqual([]);
    });

    it('start the newest tick that was due meanwhile when the call has ended', async () => {
      beginTest('wait');
      let end = (): void => undefined;
      journal.end = new Promise<void>((resolve) => (end = resolve));
      await using app = await start(Waiting);
      await eventually(() => isReady(app));
      await passUntil(() => jobOf(app).skipped >= 1);
      expect([journal.ticks.length, jobOf(app).running]).toEqual([1, true]);
      end();
      await eventually(() => journal.ticks.length >= 2);

      const [first = 0, second = 0] = scheduled();
      expect((second - first) / 1_000).toBeGreaterThanOrEqual(2);
      expect(journal.ticks[1]?.missed).toEqual([]);
    });

    it('are not claimed by an instance whose clock is behind the last tick', async () => {
      beginTest('behind');
      await storeLast('daily', cluster().now() + 2 * DAY_MS);
      await using app = await start(Daily);
      await eventually(() => jobOf(app).state === 'behind' && jobOf(app).owner === undefined);
      await cluster().pass(100);

      expect(jobOf(app)).toMatchObject({ state: 'behind', owner: undefined, started: 0 });
      expect(journal.ticks).toEqual([]);
    });

    it('are not claimed by an instance that cannot read the last tick', async () => {
      beginTest('version');
      const key = `${prefix}/v1/crons/daily/last`;
      const value = JSON.stringify({ v: 2, at: 0 });
      await cluster().write({ [key]: value });
      await using app = await start(Daily);
      await eventually(() => jobOf(app).state === 'unreadable' && jobOf(app).owner === undefined);

      expect(journal.ticks).toEqual([]);
      expect((await app.watcher.get(key)).value.toString()).toBe(value);
    });

    it('stop when the key of the owner is deleted, and go on with the next claim', async () => {
      beginTest('deleted');
      await using app = await start(EverySecond);
      await eventually(() => isReady(app));
      await passUntil(() => journal.ticks.length >= 1);
      await cluster().write({ [`${prefix}/v1/crons/once/owner`]: undefined });
      await eventually(() => journal.ticks[0]?.signal.aborted === true);
      const before = journal.ticks.length;
      await passUntil(() => journal.ticks.length > before);

      expect(new Set(scheduled()).size).toBe(journal.ticks.length);
      expect(journal.ticks.at(-1)?.fence.token).toBeGreaterThan(journal.ticks[0]?.fence.token ?? Infinity);
    });
  });
}
