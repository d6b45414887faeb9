import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { FAKE_SABOTAGES } from './fake-sabotages.js';

interface Report {
  readonly numTotalTests: number;
  readonly numFailedTests: number;
}

/** Runs the contract suite on the fake, broken as the name says. */
async function contractOf(sabotage: string): Promise<Report> {
  const args = ['vitest', 'run', '--config', 'test/sabotage/vitest.config.ts', '--reporter=json', '--bail=1'];
  const env = { ...process.env, FAKE_SABOTAGE: sabotage };
  const { stdout } = await promisify(execFile)('npx', args, { env, maxBuffer: 2 ** 26 }).catch(
    (failed: unknown) => failed as { readonly stdout: string },
  );
  return JSON.parse(stdout.slice(stdout.indexOf('{'))) as Report;
}

describe('the contract of etcd', () => {
  it('is kept by the fake as it is', async () => {
    const { numTotalTests, numFailedTests } = await contractOf('');

    expect(numTotalTests).toBeGreaterThan(30);
    expect(numFailedTests).toBe(0);
  });

  it.concurrent.each(FAKE_SABOTAGES)('refuses a fake that $name', async ({ name }) => {
    expect((await contractOf(name)).numFailedTests).toBeGreaterThan(0);
  });
});
