import { describe, expect, it } from 'vitest';
import { FAKE_SABOTAGES } from './fake-sabotages.js';
import { sabotagedRun } from './sabotaged-run.js';

/** The contract tests on the fake. A test that hangs on a sabotaged fake counts as a failure. */
const CONTRACT = { spec: 'test/testing/contract/fake.spec.ts', testTimeoutMs: 4_000 };

describe('the contract tests', () => {
  it('accept the unchanged fake', async () => {
    expect(await sabotagedRun('', CONTRACT)).toMatchObject({ success: true });
  });

  it.concurrent.each(FAKE_SABOTAGES)('reject a fake that $name', async ({ name }) => {
    expect((await sabotagedRun(name, CONTRACT)).numFailedTests).toBeGreaterThan(0);
  });
});
