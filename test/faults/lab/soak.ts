import { parseArgs } from 'node:util';
import type { Fault } from './fault.js';
import type { LabEnvironment } from './lab-cluster.js';
import { LabFailure } from './lab-failure.js';
import { Laboratory } from './laboratory.js';
import { drawPodRounds, type PodRound } from './pods/pod-faults.js';
import { PodLaboratory } from './pods/pod-laboratory.js';
import { Random } from './random.js';
import { drawRounds, type Round } from './schedule.js';
import { RunCounters } from './run-counters.js';

/** A phase of a soak. */
interface Phase {
  readonly environment: LabEnvironment;
  /** Fraction of the total time. */
  readonly share: number;
  readonly kinds?: readonly Fault['kind'][];
}

const PHASES: readonly Phase[] = [
  { environment: 'plain', share: 0.6 },
  {
    environment: 'secured',
    share: 0.1,
    kinds: ['token expiry', 'certificate reload', 'cut', 'kill', 'cut off from quorum', 'compaction while cut off'],
  },
  { environment: 'edge cases', share: 0.1, kinds: ['cut', 'cut inside a message', 'refuse', 'move leader', 'backlog'] },
];
/** Fraction of the total time for application processes that share handler groups. */
const PODS_SHARE = 0.2;

/**
 * `npm run soak -- --minutes 30 --seed 1 [--etcd 3.4]`: runs as many rounds as fit into the time, checks after each
 * round, and prints a table.
 */
export async function main(args: string[]): Promise<number> {
  const { values } = parseArgs({
    args,
    options: {
      minutes: { type: 'string', default: '30' },
      seed: { type: 'string', default: '1' },
      etcd: { type: 'string', default: '3.5' },
    },
  });
  const random = new Random(Number(values.seed));
  const counters = new RunCounters();
  try {
    for (const phase of PHASES) {
      const version = await soak(
        phase,
        Number(values.minutes) * 60_000,
        values.etcd,
        Number(values.seed),
        random,
        counters,
      );
      process.stderr.write(`${phase.environment}: etcd ${version}, seed ${values.seed}\n`);
    }
    await soakPods(Number(values.minutes) * 60_000 * PODS_SHARE, values.etcd, Number(values.seed), counters);
    process.stdout.write(
      `soak on etcd ${values.etcd} with seed ${values.seed}\n${counters.toString()}\n\nno violations\n`,
    );
    return 0;
  } catch (error) {
    process.stdout.write(`${counters.toString()}\n\n${error instanceof LabFailure ? error.message : String(error)}\n`);
    return 1;
  }
}

/** Runs at least one round, then as many as fit. @returns the full version of etcd */
async function soak(
  { environment, share, kinds }: Phase,
  totalMs: number,
  version: string,
  seed: number,
  random: Random,
  counters: RunCounters,
): Promise<string> {
  const until = performance.now() + totalMs * share;
  const rounds: Iterator<Round> = drawRounds(random.fork(), kinds);
  const lab = await Laboratory.start({ version, seed, environment, counters });
  try {
    do await lab.run(rounds.next().value as Round);
    while (performance.now() < until);
    return lab.cluster.etcd.version;
  } finally {
    await lab.stop();
  }
}

/** Kills, stops, partitions, scales and replaces application processes: at least one round, then as many as fit. */
async function soakPods(forMs: number, version: string, seed: number, counters: RunCounters): Promise<void> {
  const until = performance.now() + forMs;
  const rounds: Iterator<PodRound> = drawPodRounds(new Random(seed));
  const laboratory = await PodLaboratory.start({ version, seed, counters });
  try {
    do await laboratory.run(rounds.next().value as PodRound);
    while (performance.now() < until);
    process.stderr.write(`application processes: etcd ${laboratory.version}, seed ${seed}\n`);
  } finally {
    await laboratory[Symbol.asyncDispose]();
  }
}
