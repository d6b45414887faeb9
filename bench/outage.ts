import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, checkCounts, type Figure } from './benchmark.js';
import type { Sample } from './contender.js';
import { runOnce, spreadOf } from './measure.js';
import { OutageGateway } from './outage-gateway.js';
import type { Row } from './report.js';

const TARGETS = 300;
const perSecond: Figure = ({ attempts = Number.NaN, seconds }) => attempts / seconds;
const cpuShare: Figure = ({ cpuSeconds, seconds }) => (100 * cpuSeconds) / seconds;

/** Measures the cost of many targets, and of one, while the only member ends every connection at once. */
export const outage: Benchmark = {
  name: 'outage',
  async run({ rounds, divisor }) {
    await using etcd = await EtcdTestCluster.start();
    const measure = async (targets: number) => {
      using gateway = await OutageGateway.start(etcd.first.endpoint);
      const options = { hosts: gateway.host, control: gateway.controlUrl, targets, seconds: divisor === 1 ? 20 : 1 };
      return await runOnce({ name: `${targets} targets`, program: 'outage', options });
    };
    const many: Sample[] = [];
    const one: Sample[] = [];
    for (let round = 0; round < rounds; round += 1) {
      many.push(await measure(TARGETS));
      one.push(await measure(1));
    }
    checkCounts({ many }, TARGETS);
    return [...rowsOf(`outage with ${TARGETS} targets`, many), ...rowsOf('outage with 1 target', one)];
  },
};

function rowsOf(work: string, samples: readonly Sample[]): Row[] {
  return [
    { work, figure: 'connections/s', ours: spreadOf(samples.map(perSecond)), goal: { atMost: 2 } },
    { work, figure: '% of a core', ours: spreadOf(samples.map(cpuShare)), goal: { atMost: 2 } },
  ];
}
