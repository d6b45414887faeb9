import { describe, expect, it } from 'vitest';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { eventually } from '../support/eventually.js';
import { FixtureProcess } from '../support/fixture-process.js';
import { ownEtcd } from '../support/own-etcd.js';
import { TcpProxy } from '../support/tcp-proxy.js';

/** So many that several pauses lie between them. */
const CONNECTIONS = 5;

describe('a process without a server stays alive during an outage while its application', () => {
  const etcd = ownEtcd();

  it.each([
    'acquires a lock',
    'registers a service',
    'wants to lead',
    'has a cron job',
    'waits for its configuration',
    'waits for its layers',
  ])('%s', async (name) => {
    await etcd.put('/waits/config', '{"port":1}');
    const [noPort = 0] = await freePorts(1);
    using proxy = await TcpProxy.start(noPort);
    await using child = new FixtureProcess('process-waits.mjs', proxy.endpoint, name);

    await eventually(() => proxy.accepted >= CONNECTIONS || child.hasExited);
    expect([child.hasExited, child.output]).toEqual([false, '']);
    proxy.retarget(etcd.first.clientPort);
    expect([await child.whenEnded(), child.output]).toEqual([0, 'done\n']);
  });

  it.each(['ends a registration', 'resigns'])('%s', async (name) => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using child = new FixtureProcess('process-waits.mjs', proxy.endpoint, name);
    await eventually(() => child.numbers('outage').length > 0);
    const [noPort = 0] = await freePorts(1);
    proxy.retarget(noPort);
    proxy.cut();
    const { accepted } = proxy;

    await eventually(() => proxy.accepted >= accepted + CONNECTIONS || child.hasExited);
    expect([child.hasExited, child.output]).toEqual([false, '']);
    proxy.retarget(etcd.first.clientPort);
    expect([await child.whenEnded(), child.output]).toEqual([0, 'done\n']);
  });
});
