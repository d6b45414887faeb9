import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Result of a run of vitest. A library that could not be loaded has no failed test, only a failed suite. */
export interface Report {
  readonly success: boolean;
  readonly numFailedTests: number;
}

/** Runs a spec with the named sabotage; `''` for the unchanged library. Ends with the first failed test. */
export async function sabotagedRun(
  sabotage: string,
  { spec, testTimeoutMs }: { readonly spec: string; readonly testTimeoutMs: number },
): Promise<Report> {
  const config = ['--config', 'test/sabotage/vitest.config.ts'];
  const args = ['vitest', 'run', spec, ...config, '--reporter=json', '--bail=1', `--testTimeout=${testTimeoutMs}`];
  const env = { ...process.env, SABOTAGE: sabotage };
  const { stdout } = await promisify(execFile)('npx', args, { env, maxBuffer: 2 ** 26 }).catch(
    (failed: unknown) => failed as { readonly stdout: string },
  );
  return JSON.parse(stdout.slice(stdout.indexOf('{'))) as Report;
}
