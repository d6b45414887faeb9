import { VIOLATION_FOUND, LabFailure, RUN_FAILED } from './lab-failure.js';
import { runLaboratory } from './run-laboratory.js';
import { SHORT_RUNS, type ShortRunName } from './short-runs.js';

/**
 * `run.mjs short-run NAME`: runs one of the short runs. The first line of its output is the first violation, if any.
 */
export async function main([name = '']: string[]): Promise<number> {
  try {
    const { counters, version } = await runLaboratory(SHORT_RUNS[name as ShortRunName], { hangTimeoutMs: 30_000 });
    process.stdout.write(`no violations on etcd ${version}\n${counters.toString()}\n`);
    return 0;
  } catch (error) {
    const violation = error instanceof LabFailure ? error.findings.violations[0] : undefined;
    process.stdout.write(`${violation ?? 'no result'}\n${String(error)}\n`);
    return violation === undefined ? RUN_FAILED : VIOLATION_FOUND;
  }
}
