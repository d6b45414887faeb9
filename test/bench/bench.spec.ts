import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

describe('npm run bench', () => {
  it('runs every benchmark and checks its amount of work', { timeout: 600_000 }, async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['bench/dist/run.js', '--short']);

    const works = new Set(
      stdout
        .split('\n')
        .slice(1, -1)
        .map((line) => line.split('  ')[0]),
    );
    expect([...works]).toEqual([
      'watch replay, 100 a message',
      'watch replay, 1 a message',
      'history, 1 a revision',
      'history, 100 a revision',
      'live traffic of 8 writers',
      'put to handler, 200 a second',
      'list of 100k keys of 300 B',
      '1000 targets',
      'outage with 300 targets',
      'outage with 1 target',
      'scheduling of a handler adds',
      '10k handlers on 1k targets',
      'event for one of 10k handlers',
      'beside four stuck handlers, 1M events',
      'store.get',
      '100k configurations',
      '99 % of 100k configurations deleted',
      '100 keys of 1M',
      'lock that nobody else wants',
      'lead handed over',
      'fenced put, 16 at once',
      'leader with a lock, idle for 30 s',
      'event of a group, checkpoint every 1000',
      'commit() for each event, 16 partitions',
      'partition handed over at a shutdown',
      'group without events for 60 s',
      '10000 events handled',
      '1000 keys listed',
      '1000 handlers of one target started',
      '1000 targets with a handler each started',
      'a day in fast forward, 10M events',
    ]);
    expect(stdout).not.toContain('NaN');
  });
});
