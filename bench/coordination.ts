import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, checkCounts, compare, extra, type Figure } from './benchmark.js';
import { interleave, type Samples, spreadOf } from './measure.js';

/** Work that etcd3 can do, too. */
export type PeerWork = 'locks' | 'handOvers';
export type CoordinationWork = PeerWork | 'plainPuts' | 'fencedPuts' | 'idle';

const NAMES = { ours: 'ours', peer: 'etcd3' };
const FENCED = { ours: 'fencedPuts', peer: 'plainPuts' };
const milliseconds: Figure = ({ seconds, count }) => (seconds / count) * 1_000;

/** Measures locks and elections beside those of etcd3, and fenced writes beside plain ones. */
export const coordination: Benchmark = {
  name: 'coordination',
  async run({ rounds, divisor }) {
    await using etcd = await EtcdTestCluster.start();
    const beside = async (work: PeerWork, count: number): Promise<Samples> => {
      const options = { hosts: etcd.hosts, work, count };
      const samples = await interleave(
        [
          { name: NAMES.ours, program: 'coordination-ours', options },
          { name: NAMES.peer, program: 'coordination-etcd3', options },
        ],
        rounds,
      );
      checkCounts(samples, count);
      return samples;
    };
    const locks = await beside('locks', Math.ceil(300 / divisor));
    const handOvers = await beside('handOvers', Math.ceil(50 / divisor));
    const puts = Math.ceil(20_000 / divisor);
    const fenced = await interleave(
      Object.values(FENCED).map((work) => {
        return { name: work, program: 'coordination-ours', options: { hosts: etcd.hosts, work, count: puts } };
      }),
      rounds,
    );
    checkCounts(fenced, puts);
    const idleOptions = { hosts: etcd.hosts, work: 'idle', count: divisor === 1 ? 30_000 : 100 };
    const idle = await interleave([{ name: 'idle', program: 'coordination-ours', options: idleOptions }], 1);
    return [
      compare('lock that nobody else wants', 'ms', milliseconds, locks, NAMES),
      compare('lead handed over', 'ms', milliseconds, handOvers, NAMES),
      {
        ...compare('fenced put, 16 at once', 'ms', milliseconds, fenced, FENCED, { atMost: 1.15 }),
        peerName: 'plain put',
      },
      {
        work: 'leader with a lock, idle for 30 s',
        figure: 'raft proposals',
        ours: spreadOf((idle.idle ?? []).map(extra('proposals'))),
        goal: { atMost: 0 },
      },
    ];
  },
};
