import { type Benchmark, extra } from './benchmark.js';
import { runOnce, spreadOf, startServer } from './measure.js';

const TENTHS = 10;

/** Replays a day's traffic at full speed. Memory must not grow. */
export const endurance: Benchmark = {
  name: 'endurance',
  async run({ divisor }) {
    const events = Math.floor(10_000_000 / divisor);
    const { child, hello } = await startServer('traffic-server', [String(events)]);
    const options = { hosts: [`http://127.0.0.1:${hello.port ?? 0}`], events, tenths: TENTHS };
    const sample = await runOnce({ name: 'ours', program: 'endurance', options, flags: ['--expose-gc'] }).finally(() =>
      child.kill(),
    );
    const last = spreadOf([extra(`tenth${TENTHS}Mb`)(sample)]);
    const second = spreadOf([extra('tenth2Mb')(sample)]);
    return [
      {
        work: 'a day in fast forward, 10M events',
        figure: 'MB held',
        ours: last,
        peer: second,
        peerName: 'after a fifth',
        ratio: last.median / second.median,
        goal: { atMost: 1.05 },
      },
    ];
  },
};
