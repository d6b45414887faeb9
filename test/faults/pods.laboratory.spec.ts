import { describe, expect, it } from 'vitest';
import type { PodRound } from './lab/pods/pod-faults.js';
import { PodLaboratory } from './lab/pods/pod-laboratory.js';
import { RunCounters } from './lab/run-counters.js';

const ROUNDS: readonly PodRound[] = [
  { fault: { kind: 'pod killed' }, during: { kind: 'kill', at: 'leader' } },
  { fault: { kind: 'pod stopped' }, during: { kind: 'move leader' } },
  { fault: { kind: 'pod partitioned', direction: 'up' } },
];

describe('handler groups of three application processes, on a cluster of three members', () => {
  it('handle each write once with commit(), and never as a past owner', { timeout: 300_000 }, async () => {
    const counters = new RunCounters();
    const laboratory = await PodLaboratory.start({ version: '3.5', seed: 6, counters });
    try {
      for (const round of ROUNDS) await laboratory.run(round);
    } finally {
      await laboratory[Symbol.asyncDispose]();
    }

    const { orders, effects, repeatedEffects } = counters;
    process.stdout.write(`laboratory, pods: ${orders} writes, ${repeatedEffects} repeated without commit()\n`);
    expect(orders).toBeGreaterThan(0);
    expect(effects - repeatedEffects).toBe(2 * orders);
  });
});
