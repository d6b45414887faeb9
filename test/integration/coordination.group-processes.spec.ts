import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import {
  fail,
  faultOf,
  POD_FAULTS,
  POD_ROUNDS,
  POD_TIMEOUT_MS,
  repair,
  reportRounds,
  takeOverLimitMs,
} from '../support/pod-rounds.js';
import { Pods } from '../support/pods.js';
import { startApp } from '../support/start-app.js';
import { TakeOvers } from '../support/take-overs.js';

const PROCESSES = 3;
const KEYS = 8;
const PACE_MS = 50;
/** On a busy machine the writes would go ahead of the handlers, further with each round. */
const MOST_UNHANDLED = 1_000;
/** The long run also covers effects without a commit. */
const MODES = process.env.POD_ROUNDS === undefined ? ['commit'] : ['commit', 'fenced'];
const PARTITIONS = 4;

describe.concurrent.each(MODES)('a handler group of several processes (%s)', (mode) => {
  const etcd = ownEtcd();

  const owners = async (): Promise<string[]> => {
    const { kvs } = await etcd.direct.getAll().prefix('/coordination/v1/groups/billing/owners/').exec();
    return kvs.map(({ value }) => (JSON.parse(value.toString()) as { readonly pod: string }).pod);
  };
  /** Counts the writes of each effect from now on. */
  const observe = async () => {
    const app = await startApp({ hosts: etcd.hosts });
    const effects = new Map<string, number>();
    await app.watcher.watch({ prefix: '/effects/' }, ({ key }) => {
      effects.set(key, (effects.get(key) ?? 0) + 1);
    });
    return { effects, [Symbol.asyncDispose]: () => app[Symbol.asyncDispose]() };
  };
  /** Writes until it is stopped. `stop` resolves to the number of writes. */
  const write = (handled: () => number) => {
    const stopping = new AbortController();
    const writing = (async () => {
      let written = 0;
      while (!stopping.signal.aborted) {
        await eventually(() => stopping.signal.aborted || written - handled() < MOST_UNHANDLED);
        await Promise.all(
          Array.from({ length: KEYS }, (_, index) => etcd.put(`/orders/${index}`, String((written += 1)))),
        );
        await sleep(PACE_MS);
      }
      return written;
    })();
    return {
      stop: () => {
        stopping.abort();
        return writing;
      },
    };
  };

  it(
    'handles each write while its processes are killed, stopped, cut off and replaced',
    { timeout: POD_TIMEOUT_MS },
    async () => {
      await using observed = await observe();
      const { effects } = observed;
      await using pods = await Pods.start('group.mjs', { hosts: etcd.hosts, count: PROCESSES, args: [mode] });
      await pods.ready();
      await eventually(async () => (await owners()).length === PARTITIONS);
      const writing = write(() => effects.size);
      await using takeOvers = new TakeOvers(etcd, pods);
      for (let round = 0; round < POD_ROUNDS; round += 1) {
        const fault = faultOf(round, [...POD_FAULTS, 'ended']);
        await pods.ready();
        const before = effects.size;
        await eventually(() => effects.size > before);
        const [owner = ''] = await owners();
        const pod = pods.get(owner);
        await takeOvers.begin();
        const begin = performance.now();
        if (fault === 'ended') await pod.end('SIGTERM');
        else await fail(pod, fault);
        await eventually(async () => {
          const present = await owners();
          return present.length === PARTITIONS && !present.includes(owner);
        });
        const tookMs = performance.now() - begin;
        // A process that ends in an orderly way lets the others in before.
        if (fault !== 'ended') await takeOvers.end(fault, { tookMs, limitMs: takeOverLimitMs(fault) });
        await repair(pods, pod);
      }
      const written = await writing.stop();
      await eventually(() => {
        expect(effects.size).toBe(written);
      });

      const repeated = [...effects.values()].filter((count) => count > 1).length;
      reportRounds(`group, ${mode}`, { writes: written, effects: effects.size, repeated, ...takeOvers.figures });
      expect(await etcd.direct.getAll().prefix('/effects/').count()).toBe(written);
      if (mode === 'commit') expect(repeated).toBe(0);
      expect(takeOvers.late).toEqual([]);
    },
  );
});
