import { type Benchmark, checkCounts, cpu, extra, type Figure } from './benchmark.js';
import { interleave, type Samples, spreadOf, startServer } from './measure.js';
import { recording } from './recordings.js';
import type { Row } from './report.js';

/** Measures the cost of a handler's queue per event, compared with an observer, which has no queue. */
export const scheduling: Benchmark = {
  name: 'scheduling',
  async run({ rounds, divisor }) {
    const events = Math.floor(1_000_000 / divisor);
    const { child, hello } = await startServer('replay-server', [await recording(events, 100)]);
    const options = { hosts: [`http://127.0.0.1:${hello.port ?? 0}`], events };
    const measured = (own: object, flags: string[]) =>
      interleave(
        [
          { name: 'handler', program: 'watch-ours', options: { ...options, ...own }, flags },
          { name: 'observer', program: 'watch-ours', options: { ...options, ...own, observe: true }, flags },
        ],
        rounds,
      );
    try {
      const costs = await measured({}, []);
      checkCounts(costs, events);
      const allocations = await measured({ events: Math.min(events, 200_000), allocations: true }, [
        '--min-semi-space-size=1024',
        '--max-semi-space-size=1024',
      ]);
      return [
        added('CPU us/event', costs, cpu, { atMost: 1 }),
        added('bytes allocated/event', allocations, extra('allocatedBytes'), { atMost: 1 }),
      ];
    } finally {
      child.kill();
    }
  },
};

/** Subtracts the observer's sample from the handler's sample of the same round. */
function added(figure: string, samples: Samples, of: Figure, goal: NonNullable<Row['goal']>): Row {
  const { handler = [], observer = [] } = samples;
  const differences = handler.map((sample, round) => of(sample) - of(observer[round] ?? sample));
  return { work: 'scheduling of a handler adds', figure, ours: spreadOf(differences), goal };
}
