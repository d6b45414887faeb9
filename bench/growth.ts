import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import type { Benchmark, Size } from './benchmark.js';
import { fill } from './fill.js';
import { type Contender, runOnce, spreadOf, startServer } from './measure.js';
import { recording } from './recordings.js';
import type { Row } from './report.js';

/** Measures how costs grow over three decades of size. */
export const growth: Benchmark = {
  name: 'growth',
  async run(size) {
    return [...(await growthOnReplay(size)), ...(await growthOnEtcd(size))];
  },
};

async function growthOnReplay({ rounds, divisor }: Size): Promise<Row[]> {
  const sizes = decadesUpTo(1_000_000, divisor);
  const { child, hello } = await startServer('replay-server', [await recording(sizes.at(-1) ?? 0, 100)]);
  const hosts = [`http://127.0.0.1:${hello.port ?? 0}`];
  try {
    return [
      await grow('events', 'handled', sizes, rounds, (events) => ({
        program: 'watch-ours',
        options: { hosts, events },
      })),
    ];
  } finally {
    child.kill();
  }
}

async function growthOnEtcd({ rounds, divisor }: Size): Promise<Row[]> {
  await using etcd = await EtcdTestCluster.start();
  const { hosts } = etcd;
  const keys = decadesUpTo(100_000, divisor);
  const most = keys.at(-1) ?? 0;
  await fill(hosts, { puts: most, keys: most, valueBytes: 300 });
  const list = (count: number): Omit<Contender, 'name'> => ({
    program: 'list-ours',
    // Keys have leading zeros, so each additional digit of the prefix selects a tenth of them.
    options: { hosts, keys: count, prefix: `/b/${'0'.repeat(6 - Math.log10(count))}` },
  });
  const start = (targets: number, handlersATarget: number): Omit<Contender, 'name'> => ({
    program: 'handlers',
    options: { hosts, events: 0, targets, handlersATarget },
  });
  return [
    await grow('keys', 'listed', keys, rounds, list),
    await grow('handlers', 'of one target started', decadesUpTo(10_000, divisor), rounds, (count) => start(1, count)),
    await grow('targets', 'with a handler each started', decadesUpTo(1_000, divisor), rounds, (count) =>
      start(count, 1),
    ),
  ];
}

/** Returns four sizes, each ten times the previous one; the last two of them in a short run, which `divisor` makes smaller. */
const decadesUpTo = (largest: number, divisor: number): number[] =>
  (divisor === 1 ? [1_000, 100, 10, 1] : [10, 1]).map((part) => Math.max(1_000, largest / divisor) / part);

async function grow(
  what: string,
  done: string,
  sizes: readonly number[],
  rounds: number,
  contender: (size: number) => Omit<Contender, 'name'>,
): Promise<Row> {
  const points = sizes.map((size) => ({ size, costs: [] as number[] }));
  for (let round = 0; round < rounds; round += 1) {
    for (const { size, costs } of points) {
      const sample = await runOnce({ name: `${size} ${what}`, ...contender(size) });
      if (sample.count !== size) throw new Error(`${size} ${what}: ${sample.count} counted`);
      costs.push(sample.cpuSeconds);
    }
  }
  const curve = points.map(({ size, costs }) => ({ size, cpuSeconds: spreadOf(costs).median }));
  const [before, last] = curve.slice(-2);
  const exponent = Math.log10((last?.cpuSeconds ?? 0) / (before?.cpuSeconds ?? 0));
  return {
    work: `${sizes.at(-1) ?? 0} ${what} ${done}`,
    figure: 'exponent of growth',
    ours: { median: exponent, min: exponent, max: exponent },
    goal: { atMost: 1.1 },
    curve: { title: `${what} ${done}`, points: curve },
  };
}
