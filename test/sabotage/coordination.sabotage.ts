import { describe, expect, it } from 'vitest';
import { COORDINATION_SABOTAGES } from './coordination-sabotages.js';
import { sabotagedRun } from './sabotaged-run.js';

const SPECS = [...new Set(COORDINATION_SABOTAGES.map(({ spec }) => spec))];
/** A test that hangs on a sabotaged coordination counts as a failure. */
const testTimeoutMs = 60_000;

describe('the tests of the coordination', () => {
  it.concurrent.each(SPECS)('accept the unchanged library: %s', async (spec) => {
    expect(await sabotagedRun('', { spec, testTimeoutMs })).toMatchObject({ success: true });
  });

  it.concurrent.each(COORDINATION_SABOTAGES)('reject a coordination whose $name', async ({ name, spec }) => {
    expect((await sabotagedRun(name, { spec, testTimeoutMs })).numFailedTests).toBeGreaterThan(0);
  });
});
