import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import {
  fail,
  faultOf,
  POD_ROUNDS,
  POD_TIMEOUT_MS,
  repair,
  reportRounds,
  takeOverLimitMs,
} from '../support/pod-rounds.js';
import { Pods } from '../support/pods.js';
import { startApp } from '../support/start-app.js';
import { TakeOvers } from '../support/take-overs.js';

const PODS = 3;
const SECOND_MS = 1_000;

/** A tick that an instance has stored: before it called the method, or as the last one that it has dropped. */
interface StoredTick {
  readonly at: number;
  readonly instance: string;
}

/** Ticks that were dropped because a call was running. */
const skippedOf = (pods: Pods): number =>
  pods.all.reduce((sum, pod) => sum + (pod.numbers('skipped').at(-1)?.[0] ?? 0), 0);
/** Ticks whose method was called, even if its write has failed. */
const startedOf = (pods: Pods): Set<number> => new Set(pods.numbers('started').flat());

describe('a cron job of several processes', () => {
  const etcd = ownEtcd({ size: 3 });

  const owner = async (): Promise<{ pod: string; instance: string }> => {
    const value = await etcd.direct.get('/coordination/v1/crons/count/owner').string();
    if (value === null) throw new Error('nobody owns the job');
    return JSON.parse(value) as { pod: string; instance: string };
  };
  /** The ticks whose call has written its key, with the number of writes. */
  const effects = async (): Promise<Map<number, number>> => {
    const { kvs } = await etcd.direct.getAll().prefix('/ticks/').exec();
    return new Map(
      kvs.map(({ key, version }) => [Date.parse(key.toString().slice('/ticks/'.length)), Number(version)]),
    );
  };
  /** Collects all ticks that are stored from now on. */
  const observe = async () => {
    const app = await startApp({ hosts: etcd.hosts });
    const stored: StoredTick[] = [];
    await app.watcher.watch({ key: '/coordination/v1/crons/count/last' }, ({ value }) => {
      const { scheduledAt, by } = JSON.parse(String(value)) as { scheduledAt: string; by: string };
      const at = Date.parse(scheduledAt);
      // The first one is the time of the first claim.
      if (at % SECOND_MS === 0) stored.push({ at, instance: by.split('/')[0] ?? '' });
    });
    return { stored, [Symbol.asyncDispose]: () => app[Symbol.asyncDispose]() };
  };

  it(
    'starts every tick, and none twice, while owners are killed and stopped',
    { timeout: POD_TIMEOUT_MS },
    async () => {
      await using observed = await observe();
      const { stored } = observed;
      await using pods = await Pods.start('cron.mjs', { hosts: etcd.hosts, count: PODS });
      const lastOf = (instance: string): number => stored.findLast((tick) => tick.instance === instance)?.at ?? 0;
      /** The last ticks of owners that were killed or stopped: their calls may not have ended. */
      const interrupted = new Set<number>();
      await using takeOvers = new TakeOvers(etcd, pods);

      for (let round = 0; round < POD_ROUNDS; round += 1) {
        await pods.ready();
        const { pod, instance } = await eventually(async () => {
          const found = await owner();
          return lastOf(found.instance) > 0 ? found : Promise.reject(new Error('the owner has not started a tick'));
        });
        const fault = faultOf(round, ['killed', 'stopped']);
        const child = pods.get(pod);
        // Either right after the transaction of a tick, perhaps of a missed one, or when no tick is missed.
        const count = stored.length;
        if (round % 4 > 1) await eventually(() => stored.length > count);
        else await eventually(() => Date.now() - lastOf(instance) < 2 * SECOND_MS);
        await takeOvers.begin();
        const begin = performance.now();
        await fail(child, fault);
        await eventually(() => stored.at(-1)?.instance !== instance);
        // Up to the first tick of the next owner.
        const limitMs = takeOverLimitMs(fault) + SECOND_MS;
        await takeOvers.end(fault, { tookMs: performance.now() - begin, limitMs });
        interrupted.add(lastOf(instance));
        await repair(pods, child);
      }
      const { pod, instance } = await eventually(owner);
      await pods.get(pod).end('SIGTERM');
      await eventually(() => stored.at(-1)?.instance !== instance);
      const { at: last = 0 } = stored.at(-1) ?? {};
      // The write of an instance that was stopped may fail, because its connection is lost.
      await eventually(async () => startedOf(pods).has(last) || (await effects()).has(last));

      const started = await effects();
      const ticks = stored.map(({ at }) => at).filter((at) => at <= last);
      const missing = ticks.slice(1).reduce((sum, at, index) => sum + (at - (ticks[index] ?? 0)) / SECOND_MS - 1, 0);
      const lost = ticks.filter((at) => !started.has(at) && !startedOf(pods).has(at));
      const dropped = missing + lost.filter((at) => !interrupted.has(at)).length;
      reportRounds('cron job', {
        ticks: ticks.length,
        'started twice': [...started.values()].filter((writes) => writes > 1).length,
        'not started': dropped,
        'dropped by policy': skippedOf(pods),
        'interrupted with their owner': lost.filter((at) => interrupted.has(at)).length,
        ...takeOvers.figures,
      });
      expect(ticks).toEqual([...new Set(ticks)].sort((a, b) => a - b));
      expect([...started].filter(([, writes]) => writes !== 1)).toEqual([]);
      expect(dropped).toBeLessThanOrEqual(skippedOf(pods));
      expect(takeOvers.late).toEqual([]);
    },
  );
});
