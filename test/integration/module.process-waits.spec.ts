import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** So many that several pauses lie between them. */
const CONNECTIONS = 5;

describe('a process without a server stays alive during an outage while its application', () => {
  const etcd = ownEtcd();

  it.each(['acquires a lock', 'registers a service', 'wants to lead', 'has a cron job'])('%s', async (name) => {
    const [noPort = 0] = await freePorts(1);
    using proxy = await TcpProxy.start(noPort);
    const child = spawn(process.execPath, ['test/fixtures/process-waits.mjs', proxy.endpoint, name], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const ended = new Promise((resolve) => child.once('close', resolve));

    await eventually(() => proxy.accepted >= CONNECTIONS || child.exitCode !== null);
    expect([child.exitCode, output]).toEqual([null, '']);
    proxy.retarget(Number(new URL(etcd.hosts[0] ?? '').port));
    expect([await ended, output]).toEqual([0, 'done\n']);
  });
});
