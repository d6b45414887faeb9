import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, extra } from './benchmark.js';
import { documentOf } from './contenders/database-config.js';
import { fill } from './fill.js';
import { interleave, spreadOf } from './measure.js';
import type { Row } from './report.js';

const SMALL = 10_000;
const LARGE = 1_000_000;

/** Finds a hundred keys in a small and in a large definition. */
export const keys: Benchmark = {
  name: 'keys',
  async run({ rounds, divisor }) {
    const small = divisor === 1 ? SMALL : SMALL / 10;
    const large = divisor === 1 ? LARGE : small;
    await using etcd = await EtcdTestCluster.start({ args: ['--quota-backend-bytes=8000000000'] });
    const filling = { valueBytes: 0, value: documentOf };
    await fill(etcd.hosts, { puts: small, keys: small, prefix: '/small/', ...filling });
    await fill(etcd.hosts, { puts: large, keys: large, prefix: '/large/', ...filling });
    const { ours = [] } = await interleave(
      [{ name: 'ours', program: 'prefix-reads', options: { hosts: etcd.hosts }, flags: ['--max-old-space-size=8192'] }],
      rounds,
    );
    const row = (figure: string, small: string, among: string): Row => {
      const many = spreadOf(ours.map(extra(among)));
      const few = spreadOf(ours.map(extra(small)));
      const work = '100 keys of 1M';
      return {
        work,
        figure,
        ours: many,
        peer: few,
        peerName: 'of 10k',
        ratio: many.median / few.median,
        goal: { atMost: 1.5 },
      };
    };
    return [
      row('store.keys(prefix) us', 'keysOfSmallUs', 'keysOfLargeUs'),
      row('store.entries(prefix) us', 'entriesOfSmallUs', 'entriesOfLargeUs'),
    ];
  },
};
