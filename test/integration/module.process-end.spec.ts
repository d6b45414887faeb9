import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ownEtcd } from '../support/own-etcd.js';

describe('a process exits when its application', () => {
  const etcd = ownEtcd();

  it.each([
    ['is closed', ['done']],
    ['fails to boot', ['ETCD_BOOT', 'done']],
    ['fails at a handler', ['ETCD_BOOT', 'done']],
    ['is compiled and never initialised', ['ready', 'done']],
    ['is compiled degraded and never initialised', ['degraded', 'done']],
    ['loads a configuration', expect.arrayContaining(['0 keys', 'done']) as string[]],
    ['cannot load a configuration', ['ETCD_BOOT', 'done']],
    ['is closed while it starts', expect.arrayContaining(['done']) as string[]],
  ])('%s', async (name, lines) => {
    const child = spawn(process.execPath, ['test/fixtures/process-end.mjs', etcd.hosts.join(), name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const code = await new Promise((resolve) => child.once('close', resolve));

    expect(output.trim().split('\n')).toEqual(lines);
    expect(code).toBe(0);
  });
});
