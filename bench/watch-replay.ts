import { type Benchmark, checkCounts, compare, cpu, rate, type Size } from './benchmark.js';
import { interleave, startServer } from './measure.js';
import { recording } from './recordings.js';
import type { Row } from './report.js';

/** Replays recorded messages of a real etcd at full speed from a separate process. */
const replay = (eventsAMessage: number, goals: { readonly rate: number; readonly cpu: number }): Benchmark => ({
  name: `replay-${eventsAMessage}`,
  async run({ rounds, divisor }: Size): Promise<Row[]> {
    const events = Math.floor(1_000_000 / divisor);
    const file = await recording(events, eventsAMessage);
    const { child, hello } = await startServer('replay-server', [file]);
    const options = { hosts: [`http://127.0.0.1:${hello.port ?? 0}`], events, messages: hello.messages };
    const samples = await interleave(
      [
        { name: 'ours', program: 'watch-ours', options },
        { name: 'etcd3', program: 'watch-etcd3', options },
        { name: 'bytes only', program: 'watch-bytes', options },
        { name: 'bytes only, own transport', program: 'watch-transport', options },
      ],
      rounds,
    ).finally(() => child.kill());
    checkCounts(samples, events);
    const work = `watch replay, ${eventsAMessage} a message`;
    const etcd3 = { ours: 'ours', peer: 'etcd3' };
    return [
      compare(work, 'events/s', rate, samples, etcd3, { atLeast: goals.rate }),
      compare(work, 'CPU us/event', cpu, samples, etcd3, { atMost: goals.cpu }),
      compare(work, 'events/s', rate, samples, { ours: 'ours', peer: 'bytes only' }),
      compare(work, 'events/s', rate, samples, { ours: 'ours', peer: 'bytes only, own transport' }),
    ];
  },
});

export const watchReplay = [replay(100, { rate: 5, cpu: 0.25 }), replay(1, { rate: 6, cpu: 0.2 })];
