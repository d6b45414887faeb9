import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, extra } from './benchmark.js';
import { documentOf } from './contenders/database-config.js';
import { fill } from './fill.js';
import { interleave, spreadOf } from './measure.js';
import type { Row } from './report.js';

/** Reads one configuration from memory. */
export const store: Benchmark = {
  name: 'store',
  async run({ rounds, divisor }) {
    await using etcd = await EtcdTestCluster.start();
    const keys = 1_000;
    await fill(etcd.hosts, { puts: keys, keys, valueBytes: 0, value: documentOf });
    const options = { hosts: etcd.hosts, keys, reads: Math.floor(2_000_000 / divisor) };
    const { ours = [] } = await interleave([{ name: 'ours', program: 'store-reads', options }], rounds);
    const get = spreadOf(ours.map(extra('getNs')));
    const beside = (peerName: string, ns: string, goal?: NonNullable<Row['goal']>): Row => {
      const peer = spreadOf(ours.map(extra(ns)));
      const ratio = get.median / peer.median;
      return { work: 'store.get', figure: 'ns', ours: get, peer, peerName, ratio, ...(goal && { goal }) };
    };
    return [
      beside('Map.get', 'mapNs', { atMost: 1.5 }),
      beside('ConfigService.get', 'configServiceNs'),
      {
        work: 'store.get',
        figure: 'bytes allocated',
        ours: spreadOf(ours.map(extra('allocatedBytes'))),
        goal: { atMost: 0.5 },
      },
    ];
  },
};
