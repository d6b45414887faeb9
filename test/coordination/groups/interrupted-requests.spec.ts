import { beforeAll, describe, expect, it } from 'vitest';
import type { Cut, Interruption, SentRequest } from './interrupted-client.js';
import { type Before, interruptedRun, type InterruptedRun, prepare, requestsOf } from './interrupted-life.js';

const AT_ONCE = 4;
const INTERRUPTIONS: readonly Interruption[] = ['cut', 'suspended', 'failed'];

describe('an instance that is interrupted at any of its requests', () => {
  let before: Before;
  let requests: readonly SentRequest[] = [];

  beforeAll(async () => {
    before = await prepare();
    requests = await requestsOf(before);
  });

  /** Interrupts an instance at each request. Nobody can tell of a read whether the request or the answer was lost. */
  async function runAll(cut: Pick<Cut, 'interruption' | 'lost'>): Promise<InterruptedRun[]> {
    const left = requests.filter(({ isWrite }) => isWrite || cut.lost === 'request');
    const runs: InterruptedRun[] = [];
    const work = async (): Promise<void> => {
      for (let request = left.shift(); request; request = left.shift()) {
        const { name, before: count } = request;
        const run = await interruptedRun(before, { ...cut, ...request });
        runs.push({ ...run, violations: run.violations.map((violation) => `${name} (${count}): ${violation}`) });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return runs;
  }

  it.each([
    'list prefix "/billing/"',
    'watch prefix "/billing/"',
    'grant a lease',
    'renew a lease',
    'create "/co/v1/groups/mailing/config"',
    'create "/co/v1/groups/billing/owners/000"',
    'store the cursor "/co/v1/groups/billing/cursors/000"',
    'put "/effects/mailing/live=1"',
    'redrive an event of the group "mailing"',
    'remove "/co/v1/groups/billing/owners/000"',
    'revoke a lease',
  ])('sends the request: %s', (name) => {
    expect(requests.map((request) => request.name)).toContain(name);
  });

  it.each(
    INTERRUPTIONS.flatMap((interruption) => (['request', 'answer'] as const).map((lost) => ({ interruption, lost }))),
  )('loses and repeats no effect and no parked event: $interruption, and the $lost is lost', async (cut) => {
    const runs = await runAll(cut);
    expect(runs.flatMap(({ violations }) => violations)).toEqual([]);
    const missed = runs.filter(({ wasInterrupted }) => !wasInterrupted);
    expect(missed.length).toBeLessThan(runs.length / 10);
    await Promise.all(runs.map(({ ended }) => ended));
  });
});
