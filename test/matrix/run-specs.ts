import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { promisify } from 'node:util';

const VITEST = resolve('node_modules/vitest/vitest.mjs');

/** Runs specs of this repository or of a copy in a separate process. Returns `passed`, or their output if they fail. */
export async function runSpecs(
  specs: readonly string[],
  { cwd = '.', env = {} }: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  try {
    const options = { cwd, env: { ...process.env, VITEST: undefined, ...env }, maxBuffer: 2 ** 26 };
    await promisify(execFile)(process.execPath, [VITEST, 'run', '--reporter=dot', ...specs], options);
    return 'passed';
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    return stdout + stderr;
  }
}
