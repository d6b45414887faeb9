import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, checkCounts, compare, cpu, extra, grown, peak, rate } from './benchmark.js';
import { fill } from './fill.js';
import { interleave } from './measure.js';

export const list: Benchmark = {
  name: 'list',
  async run({ rounds, divisor }) {
    await using etcd = await EtcdTestCluster.start();
    const keys = Math.floor(100_000 / divisor);
    await fill(etcd.hosts, { puts: keys, keys, valueBytes: 300 });
    const options = { hosts: etcd.hosts, keys };
    const samples = await interleave(
      [
        { name: 'ours', program: 'list-ours', options },
        { name: 'etcd3 getAll', program: 'list-etcd3', options },
      ],
      rounds,
    );
    checkCounts(samples, keys);
    const work = 'list of 100k keys of 300 B';
    const names = { ours: 'ours', peer: 'etcd3 getAll' };
    const block = compare(work, 'longest block ms', extra('longestBlockMs'), samples, names);
    return [
      compare(work, 'keys/s', rate, samples, names, { atLeast: 1.6 }),
      { work, figure: 'longest block ms', ours: block.ours, goal: { atMost: 60 } },
      compare(work, 'peak MB', peak, samples, names),
      // Ours runs in a Nest application, whose memory at the start is larger.
      compare(work, 'peak MB above the start', grown, samples, names, { atMost: 0.65 }),
      compare(work, 'CPU us/key', cpu, samples, names),
    ];
  },
};
