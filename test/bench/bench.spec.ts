import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';

describe('npm run bench', () => {
  it('runs every benchmark, each of which counts what it has done', { timeout: 240_000 }, async () => {
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
      'history from a real etcd',
      'live traffic of 8 writers',
      'list of 100k keys of 300 B',
      'store.get',
      '100k configurations',
    ]);
    expect(stdout).not.toContain('NaN');
  });
});
