import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, checkCounts, compare, cpu, rate } from './benchmark.js';
import { fill } from './fill.js';
import { interleave, runOnce } from './measure.js';

const ARGS = ['--snapshot-count=100000000', '--quota-backend-bytes=8000000000'];
const PROGRAMS = {
  ours: 'watch-ours',
  etcd3: 'watch-etcd3',
  'bytes only': 'watch-bytes',
  'bytes only, own transport': 'watch-transport',
};
const ETCD3 = { ours: 'ours', peer: 'etcd3' };
const FLOOR = { ours: 'ours', peer: 'bytes only' };
const OWN_FLOOR = { ours: 'ours', peer: 'bytes only, own transport' };

/** Reads etcd's whole history from revision 1. The server limits the rate, so the client's CPU time is compared. */
const readHistory = (eventsARevision: number, goal: { readonly atMost: number }): Benchmark => ({
  name: `history-${eventsARevision}`,
  async run({ rounds, divisor }) {
    await using etcd = await EtcdTestCluster.start({ args: ARGS });
    const events = Math.floor(200_000 / divisor);
    const putsATransaction = eventsARevision;
    await fill(etcd.hosts, { puts: events, keys: 1_000, valueBytes: 100, putsATransaction, writers: 64 });
    const options = { hosts: etcd.hosts, events, fromRevision: 1 };
    const samples = await interleave(
      Object.entries(PROGRAMS).map(([name, program]) => ({ name, program, options })),
      rounds,
    );
    checkCounts(samples, events);
    const work = `history, ${eventsARevision} a revision`;
    return [
      compare(work, 'CPU us/event', cpu, samples, ETCD3, goal),
      compare(work, 'CPU us/event', cpu, samples, FLOOR),
      compare(work, 'CPU us/event', cpu, samples, OWN_FLOOR),
      compare(work, 'events/s', rate, samples, ETCD3),
    ];
  },
});

export const history = [readHistory(1, { atMost: 0.6 }), readHistory(100, { atMost: 0.3 })];

/** Watches eight writers on a real etcd. */
export const live: Benchmark = {
  name: 'live',
  async run({ rounds, divisor }) {
    const events = Math.floor(200_000 / divisor);
    const samples: Record<string, Awaited<ReturnType<typeof runOnce>>[]> = Object.fromEntries(
      Object.keys(PROGRAMS).map((name) => [name, []]),
    );
    for (let round = 0; round < rounds; round += 1) {
      for (const [name, program] of Object.entries(PROGRAMS)) {
        await using etcd = await EtcdTestCluster.start({ args: ARGS });
        const watching = runOnce({ name, program, options: { hosts: etcd.hosts, events } });
        // The watch must exist before the first write, because every event is counted.
        const { endpoints } = etcd;
        await until(async () => ((await etcd.first.metric('etcd_debugging_mvcc_watcher_total')) ?? 0) > 0);
        await fill(endpoints, { puts: events, keys: 1_000, valueBytes: 100, putsATransaction: 1, writers: 8 });
        samples[name]?.push(await watching);
      }
    }
    checkCounts(samples, events);
    const work = 'live traffic of 8 writers';
    return [
      compare(work, 'CPU us/event', cpu, samples, ETCD3, { atMost: 0.55 }),
      compare(work, 'CPU us/event', cpu, samples, FLOOR),
      compare(work, 'CPU us/event', cpu, samples, OWN_FLOOR),
    ];
  },
};

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20));
}
