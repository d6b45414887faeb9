import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, checkCounts, compare, extra } from './benchmark.js';
import { interleave } from './measure.js';

/** Measures the time from the call of a put to the call of the handler, at a low rate. */
export const latency: Benchmark = {
  name: 'latency',
  async run({ rounds, divisor }) {
    await using etcd = await EtcdTestCluster.start();
    const puts = Math.ceil(2_000 / divisor);
    const options = { hosts: etcd.hosts, puts, perSecond: 200 };
    const samples = await interleave(
      [
        { name: 'ours', program: 'latency-ours', options },
        { name: 'etcd3', program: 'latency-etcd3', options },
      ],
      rounds,
    );
    checkCounts(samples, puts);
    const work = 'put to handler, 200 a second';
    const names = { ours: 'ours', peer: 'etcd3' };
    return [
      compare(work, 'p50 ms', extra('p50Ms'), samples, names, { atMost: 1 }),
      compare(work, 'p99 ms', extra('p99Ms'), samples, names, { atMost: 1 }),
    ];
  },
};
