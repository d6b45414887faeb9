import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { Random } from './lab/random.js';
import { runLaboratory } from './lab/run-laboratory.js';
import { describeRound, drawRounds } from './lab/schedule.js';
import { SHORT_RUNS } from './lab/short-runs.js';

describe('an application with every kind of listener, on a cluster of three members', () => {
  it.each(Object.entries(SHORT_RUNS))(
    'misses nothing, repeats nothing and tears nothing: %s',
    { timeout: 300_000 },
    async (name, run) => {
      const { counters, version } = await runLaboratory(run);

      process.stdout.write(`laboratory, ${name}: etcd ${version}, seed ${run.seed}\n`);
      expect(version.startsWith(`${run.version}.`)).toBe(true);
      expect(counters.sum(({ delivered }) => delivered)).toBeGreaterThan(counters.operations);
      expect(counters.sum(({ resyncsReported }) => resyncsReported)).toBe(
        counters.sum(({ resyncsExpected }) => resyncsExpected),
      );
    },
  );
});

describe('the fault schedule', () => {
  it('is the same for equal seeds and different for others', () => {
    const scheduleOf = (seed: number): string[] => {
      const rounds = drawRounds(new Random(seed));
      return Array.from({ length: 60 }, () => describeRound(rounds.next().value));
    };

    expect(scheduleOf(7)).toEqual(scheduleOf(7));
    expect(scheduleOf(7)).not.toEqual(scheduleOf(8));
  });
});

describe('npm run soak', () => {
  it('prints counters, recovery times and that there are no violations', { timeout: 300_000 }, async () => {
    const soak = ['test/faults/lab/run.mjs', 'soak', '--minutes', '0.01', '--seed', '1', '--etcd', '3.4'];
    const { stdout } = await promisify(execFile)(process.execPath, soak);

    expect(stdout).toContain('soak on etcd 3.4');
    for (const line of [
      'operations acknowledged',
      'resyncs expected',
      'resyncs reported',
      'missed',
      'duplicate',
      'torn',
    ]) {
      expect(stdout).toMatch(new RegExp(`^${line} +\\d+$`, 'm'));
    }
    expect(stdout).toMatch(/^fault +times +p50 ms +p99 ms +max ms$/m);
    expect(stdout).toContain('no violations');
  });
});
