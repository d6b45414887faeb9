import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, checkCounts, compare, extra, type Figure, grown } from './benchmark.js';
import type { Sample } from './contender.js';
import { runOnce } from './measure.js';

const NAMES = { ours: 'ours', peer: 'a stream each' };
const milliseconds: Figure = ({ seconds }) => seconds * 1_000;

/** Measures many targets on one shared stream beside a stream for each. */
export const targets: Benchmark = {
  name: 'targets',
  async run({ rounds, divisor }) {
    const count = Math.ceil(1_000 / divisor);
    /** A member that has had watches keeps its memory, so each run has a new one. */
    const measure = async (program: string): Promise<Sample> => {
      await using etcd = await EtcdTestCluster.start();
      const options = { host: etcd.first.endpoint, targets: count };
      return await runOnce({ name: program, program, options });
    };
    const samples: Record<string, Sample[]> = { [NAMES.ours]: [], [NAMES.peer]: [] };
    for (let round = 0; round < rounds; round += 1) {
      samples[NAMES.ours]?.push(await measure('targets-ours'));
      samples[NAMES.peer]?.push(await measure('targets-streams'));
    }
    checkCounts(samples, count);
    const work = '1000 targets';
    return [
      compare(work, 'ms until they are watched', milliseconds, samples, NAMES),
      compare(work, 'gRPC streams', extra('streams'), samples, NAMES),
      compare(work, 'MB of etcd', extra('serverMb'), samples, NAMES, { atMost: 0.15 }),
      compare(work, 'MB of the client', grown, samples, NAMES, { atMost: 0.6 }),
    ];
  },
};
