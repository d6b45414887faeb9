import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FAKE_SABOTAGES } from './fake-sabotages.js';

interface Report {
  readonly success: boolean;
  readonly numFailedTests: number;
}

/** Runs the contract tests on the fake with the named sabotage. */
async function contractOf(sabotage: string): Promise<Report> {
  const args = ['vitest', 'run', '--config', 'test/sabotage/vitest.config.ts', '--reporter=json', '--bail=1'];
  const env = { ...process.env, FAKE_SABOTAGE: sabotage };
  const { stdout } = await promisify(execFile)('npx', args, { env, maxBuffer: 2 ** 26 }).catch(
    (failed: unknown) => failed as { readonly stdout: string },
  );
  return JSON.parse(stdout.slice(stdout.indexOf('{'))) as Report;
}

describe('the contract tests', () => {
  it('accept the unchanged fake', async () => {
    expect(await contractOf('')).toMatchObject({ success: true });
  });

  it.concurrent.each(FAKE_SABOTAGES)('reject a fake that $name', async ({ name }) => {
    // A fake that could not be loaded has no failed test, only a failed suite.
    expect((await contractOf(name)).numFailedTests).toBeGreaterThan(0);
  });
});
