import { type Benchmark, checkCounts, compare, extra } from './benchmark.js';
import { interleave, spreadOf } from './measure.js';

/** Measures how handlers that hang, time out or always fail affect others on the same target, and the memory. */
export const stuckHandlers: Benchmark = {
  name: 'stuck-handlers',
  async run({ rounds, divisor }) {
    const events = Math.floor(1_000_000 / divisor);
    const options = { events, perSecond: 40_000 };
    const flags = ['--expose-gc'];
    const samples = await interleave(
      [
        { name: 'ours', program: 'stuck-handlers', options: { ...options, stuck: true }, flags },
        { name: 'without', program: 'stuck-handlers', options: { ...options, stuck: false }, flags },
      ],
      Math.min(rounds, 3),
    );
    checkCounts(samples, events);
    const work = 'beside four stuck handlers, 1M events';
    const ended = spreadOf((samples.ours ?? []).map(extra('retainedMb')));
    const begun = spreadOf((samples.ours ?? []).map(extra('retainedAfterAFifthMb')));
    return [
      compare(work, 'p99 ms', extra('p99Ms'), samples, { ours: 'ours', peer: 'without' }, { atMost: 1.2 }),
      {
        work,
        figure: 'MB held',
        ours: ended,
        peer: begun,
        peerName: 'after a fifth',
        ratio: ended.median / begun.median,
        goal: { atMost: 1.05 },
      },
    ];
  },
};
