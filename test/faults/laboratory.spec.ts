import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Random } from './lab/random.js';
import { runTrial } from './lab/run-trial.js';
import { describeRound, drawRounds } from './lab/schedule.js';
import { TRIALS } from './lab/trials.js';

describe('a cluster of three members, its application listening in every way', () => {
  it.each(Object.entries(TRIALS))(
    'misses nothing, repeats nothing and tears nothing: %s',
    { timeout: 300_000 },
    async (name, trial) => {
      const { tally, version } = await runTrial(trial);

      process.stdout.write(`laboratory, ${name}: etcd ${version}, seed ${trial.seed}\n`);
      expect(version.startsWith(`${trial.version}.`)).toBe(true);
      expect(tally.sum(({ delivered }) => delivered)).toBeGreaterThan(tally.operations);
      expect(tally.sum(({ resyncsGiven }) => resyncsGiven)).toBe(tally.sum(({ resyncsNeeded }) => resyncsNeeded));
    },
  );
});

describe('the schedule of faults', () => {
  it('is the same for the same seed, and another for another', () => {
    const scheduleOf = (seed: number): string[] => {
      const rounds = drawRounds(new Random(seed));
      return Array.from({ length: 60 }, () => describeRound(rounds.next().value));
    };

    expect(scheduleOf(7)).toEqual(scheduleOf(7));
    expect(scheduleOf(7)).not.toEqual(scheduleOf(8));
  });
});

describe('npm run soak', () => {
  it('prints what happened, how long it took to recover, and that nothing is wrong', { timeout: 300_000 }, async () => {
    const soak = ['test/faults/lab/run.mjs', 'soak', '--minutes', '0.01', '--seed', '1', '--etcd', '3.4'];
    const { stdout } = await promisify(execFile)(process.execPath, soak);

    expect(stdout).toContain('soak on etcd 3.4');
    for (const line of ['operations acknowledged', 'resyncs needed', 'resyncs given', 'missed', 'repeated', 'torn']) {
      expect(stdout).toMatch(new RegExp(`^${line} +\\d+$`, 'm'));
    }
    expect(stdout).toMatch(/^fault +times +p50 ms +p99 ms +max ms$/m);
    expect(stdout).toContain('nothing is wrong');
  });
});
