import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, checkCounts, compare, cpu, extra, rate } from './benchmark.js';
import { fill } from './fill.js';
import { type Contender, interleave, runOnce, type Samples, spreadOf } from './measure.js';

export type GroupWork = 'prepare' | 'group' | 'handler' | 'prepareCommits' | 'commits' | 'handOvers' | 'idle';

const ARGS = ['--snapshot-count=100000000', '--quota-backend-bytes=8000000000'];
const HANDLED = { ours: 'group', peer: 'handler' };
const COMMITTED = { ours: 'commits', peer: 'fencedPuts' };

/** Measures handler groups beside ordinary handlers, and `commit()` beside fenced writes. */
export const groups: Benchmark = {
  name: 'groups',
  async run({ rounds, divisor }) {
    await using etcd = await EtcdTestCluster.start({ size: 3, args: ARGS });
    const { hosts } = etcd;
    const ours = (work: GroupWork, count: number, group: string): Contender => {
      return { name: work, program: 'groups-ours', options: { hosts, work, count, group } };
    };
    const handled = await besideHandlers(hosts, Math.ceil(200_000 / divisor), rounds, ours);
    const commits = Math.ceil(5_000 / divisor);
    for (let round = 0; round < rounds; round += 1) await runOnce(ours('prepareCommits', commits, `commits-${round}`));
    // Enough keys to keep every partition busy.
    await fill(hosts, { puts: commits, keys: 160, valueBytes: 10, putsATransaction: 1, prefix: '/o/' });
    const committed = await inRounds(rounds, (round) => [
      ours('commits', commits, `commits-${round}`),
      { name: 'fencedPuts', program: 'coordination-ours', options: { hosts, work: 'fencedPuts', count: commits } },
    ]);
    checkCounts(committed, commits);
    const handOvers = await runOnce(ours('handOvers', Math.ceil(100 / divisor), 'handed'));
    const idle = await runOnce(ours('idle', divisor === 1 ? 60_000 : 100, 'idle'));
    return [
      compare('event of a group, checkpoint every 1000', 'events/s', rate, handled, HANDLED, { atLeast: 0.9 }),
      compare('event of a group, checkpoint every 1000', 'CPU us/event', cpu, handled, HANDLED, { atMost: 1.15 }),
      {
        ...compare('commit() for each event, 16 partitions', 'a second', rate, committed, COMMITTED, { atLeast: 0.8 }),
        peerName: 'fenced put',
      },
      {
        work: 'partition handed over at a shutdown',
        figure: 'p99 ms',
        ours: spreadOf([extra('p99')(handOvers)]),
        goal: { atMost: 300 },
      },
      {
        work: 'group without events for 60 s',
        figure: 'raft proposals',
        ours: spreadOf([extra('proposals')(idle)]),
        goal: { atMost: 1 },
      },
    ];
  },
};

/** About 100 bytes. */
const orderOf = (index: number): string =>
  JSON.stringify({ id: index, customer: `customer ${index % 100}`, items: [{ product: index % 7, count: 2 }] });

/** Replays the same events to a group, from its cursor, and to a handler without one. */
async function besideHandlers(
  hosts: string[],
  events: number,
  rounds: number,
  ours: (work: GroupWork, count: number, group: string) => Contender,
): Promise<Samples> {
  for (let round = 0; round < rounds; round += 1) await runOnce(ours('prepare', events, `group-${round}`));
  const client = new Etcd3({ hosts });
  const first = Number((await client.put('/first').value('')).header.revision);
  client.close();
  await fill(hosts, { puts: events, keys: 1_000, valueBytes: 0, value: orderOf });
  const samples = await inRounds(rounds, (round) => [
    ours('group', events, `group-${round}`),
    ours('handler', events, String(first)),
  ]);
  checkCounts(samples, events);
  return samples;
}

/** Like `interleave`, for contenders that differ from round to round. */
async function inRounds(rounds: number, contenders: (round: number) => readonly Contender[]): Promise<Samples> {
  const all: Record<string, Samples[string][number][]> = {};
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, samples] of Object.entries(await interleave(contenders(round), 1)))
      all[name] = [...(all[name] ?? []), ...samples];
  }
  return all;
}
