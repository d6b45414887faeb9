import { spawn } from 'node:child_process';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

describe('a process ends by itself when its application', () => {
  let etcd: EtcdTestCluster;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
  });
  afterAll(async () => {
    await etcd.stop();
  });

  it.each([
    ['is closed', ['done']],
    ['fails to boot', ['ETCD_BOOT', 'done']],
    ['fails at a handler', ['ETCD_BOOT', 'done']],
    ['is compiled and never initialised', ['ready', 'done']],
    ['is compiled degraded and never initialised', ['degraded', 'done']],
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
