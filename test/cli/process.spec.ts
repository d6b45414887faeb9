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

    expect(failed).toMatchObject({ code: 1, stderr: expect.stringMatching(/problems? in \d+ keys/) as string });
    const { findings } = JSON.parse((failed as { stdout: string }).stdout) as { findings: { problem: string }[] };
    expect(findings.map(({ problem }) => problem)).toContain('missing');
  });

  it('ends when nobody reads its output any more', async () => {
    await etcd.put('/many/0', '0');
    const command = `${process.execPath} dist/cli/main.js watch /many/ --json --hosts ${etcd.hosts.join()} | head -n 1`;
    let hasEnded = false;
    const ending = run('sh', ['-c', command]).finally(() => (hasEnded = true));
    // A process notices that its output is closed at its next line.
    for (let index = 1; !hasEnded; index += 1) await etcd.put('/many/0', String(index));
    const { stdout, stderr } = await ending;

    expect(stdout.split('\n')).toHaveLength(2);
    expect(stderr).toBe('waiting for changes\n');
  });

  it('writes the bytes of a value into a pipe as they are', async () => {
    const bytes = Buffer.from([0x1b, 0x5b, 0xff, 0x00, 0x0a]);
    await etcd.put('/bytes', bytes);
    const args = ['dist/cli/main.js', 'get', '/bytes', '--hosts', ...etcd.hosts];
    const { stdout } = await run(process.execPath, args, { encoding: 'buffer' });

    expect(stdout).toEqual(bytes);
  });

  it('shows progress and colours on no pipe', async () => {
    for (const name of ['a', 'b']) await etcd.put(`/co/v1/locks/${name}/1`, '{}');
    const args = ['dist/cli/main.js', 'locks', '--coordination', '/co', '--hosts', ...etcd.hosts];
    const { stdout, stderr } = await run(process.execPath, args, { env: { ...process.env, FORCE_COLOR: '1' } });

    expect(stdout).not.toContain('\u001b');
    expect(stderr).toBe('');
  });
});
