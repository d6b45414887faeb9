import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { type Benchmark, checkCounts, compare, cpu, extra } from './benchmark.js';
import { interleave, runOnce, spreadOf, startServer } from './measure.js';
import { recording } from './recordings.js';

/** Measures startup time and cost per event with ten thousand decorated methods on a thousand targets. */
export const handlers: Benchmark = {
  name: 'handlers',
  async run({ rounds, divisor }) {
    const targets = Math.ceil(1_000 / divisor);
    const many = { targets, handlersATarget: 10 };
    await using etcd = await EtcdTestCluster.start();
    const boots = [];
    for (let round = 0; round < rounds; round += 1) {
      boots.push(
        await runOnce({ name: 'boot', program: 'handlers', options: { hosts: etcd.hosts, events: 0, ...many } }),
      );
    }
    const events = Math.floor(1_000_000 / divisor);
    const file = await recording(events, 100);
    const [crowded, lonely] = await Promise.all(
      [targets, 0].map((others) => startServer('replay-server', [file, String(others)])),
    );
    const on = (server: typeof crowded) => ({ hosts: [`http://127.0.0.1:${server?.hello.port ?? 0}`], events });
    const samples = await interleave(
      [
        { name: '10k handlers', program: 'handlers', options: { ...on(crowded), ...many } },
        { name: '1 handler', program: 'handlers', options: { ...on(lonely), targets: 0, handlersATarget: 0 } },
      ],
      rounds,
    ).finally(() => {
      crowded?.child.kill();
      lonely?.child.kill();
    });
    checkCounts(samples, events);
    const names = { ours: '10k handlers', peer: '1 handler' };
    return [
      {
        work: '10k handlers on 1k targets',
        figure: 'boot s',
        ours: spreadOf(boots.map(extra('bootSeconds'))),
        goal: { atMost: 3 },
      },
      compare('event for one of 10k handlers', 'CPU us/event', cpu, samples, names, { atMost: 1.5 }),
    ];
  },
};
