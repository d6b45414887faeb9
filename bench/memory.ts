import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, extra } from './benchmark.js';
import { interleave, spreadOf } from './measure.js';

/** Checks that a store releases its memory when nearly all keys are deleted. */
export const memory: Benchmark = {
  name: 'memory',
  async run({ rounds, divisor }) {
    await using etcd = await EtcdTestCluster.start();
    const keys = Math.floor(100_000 / divisor);
    const options = { hosts: etcd.hosts, keys };
    const { ours = [] } = await interleave(
      [{ name: 'ours', program: 'store-memory', options, flags: ['--expose-gc'] }],
      rounds,
    );
    const megabytes = spreadOf(ours.map(extra('afterMb')));
    const expected = spreadOf(ours.map(({ startMb = 0, fullMb = 0 }) => startMb + (fullMb - startMb) / 100));
    return [
      {
        work: '99 % of 100k configurations deleted',
        figure: 'MB held',
        ours: megabytes,
        peer: expected,
        peerName: 'start and survivors',
        ratio: megabytes.median / expected.median,
        goal: { atMost: 1.15 },
      },
    ];
  },
};
