import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, checkCounts, compare, cpu, extra, rate } from './benchmark.js';
import { documentOf } from './contenders/database-config.js';
import { fill } from './fill.js';
import { interleave, spreadOf } from './measure.js';

/** Loads typed configurations from etcd into memory. */
export const config: Benchmark = {
  name: 'config',
  async run({ rounds, divisor }) {
    await using etcd = await EtcdTestCluster.start();
    const keys = Math.floor(100_000 / divisor);
    await fill(etcd.hosts, { puts: keys, keys, valueBytes: 0, value: documentOf });
    const loaded = (prefix: string) => ({ options: { hosts: etcd.hosts, prefix }, flags: ['--expose-gc'] });
    const all = await interleave(
      [
        { name: 'ours', program: 'config-ours', ...loaded('/b/') },
        { name: 'by hand', program: 'config-plain', ...loaded('/b/') },
      ],
      rounds,
    );
    checkCounts(all, keys);
    const none = await interleave([{ name: 'ours', program: 'config-ours', ...loaded('/none/') }], 1);
    const empty = spreadOf((none.ours ?? []).map(extra('heapMb'))).median;
    const names = { ours: 'ours', peer: 'by hand' };
    const work = '100k configurations';
    const bytesAKey = (all.ours ?? []).map((sample) => ((extra('heapMb')(sample) - empty) * 1e6) / keys);
    return [
      compare(work, 'keys/s', rate, all, names, { atLeast: 3 }),
      compare(work, 'CPU us/key', cpu, all, names),
      { work, figure: 'bytes a key', ours: spreadOf(bytesAKey), goal: { atMost: 1_300 } },
    ];
  },
};
