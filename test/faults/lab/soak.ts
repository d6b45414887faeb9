import { parseArgs } from 'node:util';
import type { Fault } from './fault.js';
import type { LabEnvironment } from './lab-cluster.js';
import { LabFailure } from './lab-failure.js';
import { Laboratory } from './laboratory.js';
import { Random } from './random.js';
import { drawRounds, type Round } from './schedule.js';
import { Tally } from './tally.js';

/** A part of a soak: so much of its time, in this environment. */
interface Part {
  readonly environment: LabEnvironment;
  readonly share: number;
  readonly kinds?: readonly Fault['kind'][];
}

const PARTS: readonly Part[] = [
  { environment: 'plain', share: 0.75 },
  {
    environment: 'secured',
    share: 0.15,
    kinds: ['token expiry', 'certificate reload', 'cut', 'kill', 'cut off from quorum', 'compaction while cut off'],
  },
  { environment: 'awkward', share: 0.1, kinds: ['cut', 'cut inside a message', 'refuse', 'move leader', 'backlog'] },
];

/** `npm run soak -- --minutes 30 --seed 1 [--etcd 3.4]`: as many rounds as fit, each compared at its end, and a table of all of them. */
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
  const tally = new Tally();
  try {
    for (const part of PARTS) {
      const version = await soak(
        part,
        Number(values.minutes) * 60_000,
        values.etcd,
        Number(values.seed),
        random,
        tally,
      );
      process.stderr.write(`${part.environment}: etcd ${version}, seed ${values.seed}\n`);
    }
    process.stdout.write(
      `soak on etcd ${values.etcd} with seed ${values.seed}\n${tally.toString()}\n\nnothing is wrong\n`,
    );
    return 0;
  } catch (error) {
    process.stdout.write(`${tally.toString()}\n\n${error instanceof LabFailure ? error.message : String(error)}\n`);
    return 1;
  }
}

/** At least one round, then as many as fit. @returns the full version of etcd */
async function soak(
  { environment, share, kinds }: Part,
  wholeMs: number,
  version: string,
  seed: number,
  random: Random,
  tally: Tally,
): Promise<string> {
  const until = performance.now() + wholeMs * share;
  const rounds: Iterator<Round> = drawRounds(random.fork(), kinds);
  const lab = await Laboratory.start({ version, seed, environment, tally });
  try {
    do await lab.perform(rounds.next().value as Round);
    while (performance.now() < until);
    return lab.cluster.etcd.version;
  } finally {
    await lab.stop();
  }
}
