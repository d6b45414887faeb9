import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ownEtcd } from '../support/own-etcd.js';

const run = promisify(execFile);

describe('the process of the command line', () => {
  const etcd = ownEtcd();

  it('checks the compiled sample application and ends', async () => {
    const args = [
      'dist/cli/main.js',
      'check',
      '--json',
      '--app',
      'sample-app/dist/app.module.js',
      '--hosts',
      ...etcd.hosts,
    ];
    const failed = await run(process.execPath, args).catch((error: unknown) => error);

    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/problems in \d+ keys/) as string });
    const { findings } = JSON.parse((failed as { stdout: string }).stdout) as { findings: { problem: string }[] };
    expect(findings.map(({ problem }) => problem)).toContain('missing');
  });
});
