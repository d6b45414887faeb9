import { FOUND, LabFailure, NO_RESULT } from './lab-failure.js';
import { runTrial } from './run-trial.js';
import { TRIALS, type TrialName } from './trials.js';

/** `run.mjs trial NAME`: one part of the short run; the first line that is printed says what was found, if anything was. */
export async function main([name = '']: string[]): Promise<number> {
  try {
    const { tally, version } = await runTrial(TRIALS[name as TrialName], { hangsAfterMs: 30_000 });
    process.stdout.write(`nothing is wrong on etcd ${version}\n${tally.toString()}\n`);
    return 0;
  } catch (error) {
    const found = error instanceof LabFailure ? error.findings.violations[0] : undefined;
    process.stdout.write(`${found ?? 'no result'}\n${String(error)}\n`);
    return found === undefined ? NO_RESULT : FOUND;
  }
}
