import { describe, expect, it } from 'vitest';
import { GROUP_SABOTAGES } from './group-sabotages.js';
import { sabotagedRun } from './sabotaged-run.js';

const SPECS = [...new Set(GROUP_SABOTAGES.map(({ spec }) => spec))];
/** A test that hangs on a sabotaged library counts as a failure. */
const testTimeoutMs = 60_000;

describe('the tests of handler groups and of the audit trail', () => {
  it.concurrent.each(SPECS)('accept the unchanged library: %s', async (spec) => {
    expect(await sabotagedRun('', { spec, testTimeoutMs })).toMatchObject({ success: true });
  });

  it.concurrent.each(GROUP_SABOTAGES)('reject a library whose $name', async ({ name, spec }) => {
    expect((await sabotagedRun(name, { spec, testTimeoutMs })).numFailedTests).toBeGreaterThan(0);
  });
});
