import { Laboratory } from './laboratory.js';
import { Random } from './random.js';
import { roundsOf } from './schedule.js';
import { RunCounters } from './run-counters.js';
import type { ShortRun } from './short-runs.js';

/** @throws LabFailure if a check fails, with the details to reproduce it */
export async function runLaboratory(
  { version, seed, environment, rounds }: ShortRun,
  { hangTimeoutMs }: { readonly hangTimeoutMs?: number } = {},
): Promise<{ readonly counters: RunCounters; readonly version: string }> {
  const counters = new RunCounters();
  const lab = await Laboratory.start({ version, seed, environment, counters, ...(hangTimeoutMs && { hangTimeoutMs }) });
  try {
    for (const round of roundsOf(rounds, new Random(seed))) await lab.run(round);
    return { counters, version: lab.cluster.etcd.version };
  } finally {
    await lab.stop();
  }
}
