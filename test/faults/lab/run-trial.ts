import { Laboratory } from './laboratory.js';
import { Random } from './random.js';
import { roundsOf } from './schedule.js';
import { Tally } from './tally.js';
import type { Trial } from './trials.js';

/** @throws LabFailure when something is wrong, with what one needs to see it again */
export async function runTrial(
  { version, seed, environment, rounds }: Trial,
  { hangsAfterMs }: { readonly hangsAfterMs?: number } = {},
): Promise<{ readonly tally: Tally; readonly version: string }> {
  const tally = new Tally();
  const lab = await Laboratory.start({ version, seed, environment, tally, ...(hangsAfterMs && { hangsAfterMs }) });
  try {
    for (const round of roundsOf(rounds, new Random(seed))) await lab.perform(round);
    return { tally, version: lab.cluster.etcd.version };
  } finally {
    await lab.stop();
  }
}
