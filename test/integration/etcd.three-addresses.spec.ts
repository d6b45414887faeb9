import type * as dns from 'node:dns/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePorts } from '../../lib/testing/etcd/free-ports.js';
import { LabCluster } from '../faults/lab/lab-cluster.js';
import { allFollow, watchMany } from '../support/many-watches.js';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const NAME = 'etcd.cluster.test';
const ADDRESSES = ['127.0.0.2', '127.0.0.3', '127.0.0.4'];

vi.mock('node:dns/promises', async (original) => {
  const actual = await original<typeof dns>();
  const lookup = (name: string, options: { all: true }) =>
    name === NAME
      ? Promise.resolve(ADDRESSES.map((address) => ({ address, family: 4 })))
      : actual.lookup(name, options);
  return { ...actual, lookup };
});

describe('a host name with the addresses of three members:', () => {
  let cluster: LabCluster;
  let links: TcpProxy[];

  beforeAll(async () => {
    cluster = await LabCluster.start(undefined, 'plain');
    links = await eventually(async () => {
      const [port = 0] = await freePorts(1);
      return Promise.all(
        cluster.members.map(({ clientPort }, index) => TcpProxy.startAt(ADDRESSES[index] ?? '', port, clientPort)),
      );
    });
  });
  afterAll(async () => {
    for (const link of links) link.stop();
    await cluster.stop();
  });

  const start = () => startApp({ hosts: `http://${NAME}:${links[0]?.port ?? 0}` });
  const used = (): number => links.findIndex(({ connections }) => connections > 0);

  it('watches and calls leave a member that a partition cuts off from the others', async () => {
    await using app = await start();
    const watches = await watchMany(app.watcher, 10, '/lab/');
    await eventually(() => allFollow(watches));
    const before = used();
    cluster.isolate(before, 'silent');
    await eventually(() => links[before]?.connections === 0);
    await eventually(() => allFollow(watches));
    await eventually(() => app.watcher.put('/lab/0/a', 'x'));
    await eventually(() => watches[0]?.recorder.events.some(({ key }) => key === '/lab/0/a') === true);

    expect(used()).not.toBe(before);
    expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
    cluster.rejoin();
  });

  it('watches and calls leave an address whose link breaks', async () => {
    await using app = await start();
    const watches = await watchMany(app.watcher, 10, '/link/');
    await eventually(() => allFollow(watches));
    const link = links[used()];
    link?.refuse();
    link?.cut();
    await eventually(() => allFollow(watches) && links.some((other) => other !== link && other.connections > 0));
    await app.watcher.put('/link/0/a', 'x');
    await eventually(() => watches[0]?.recorder.events.length === 1);

    expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
    await link?.accept();
  });
});
