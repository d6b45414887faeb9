import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { GrpcProxy } from '../support/grpc-proxy.js';
import { GrpcReverseProxy } from '../support/grpc-reverse-proxy.js';
import { allFollow, watchMany } from '../support/many-watches.js';
import { startApp } from '../support/start-app.js';

describe('through the gRPC proxy of etcd:', () => {
  const APPS = 3;
  let etcd: EtcdTestCluster;
  let proxy: GrpcProxy;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    proxy = await GrpcProxy.start(etcd);
  });
  afterAll(async () => {
    await proxy[Symbol.asyncDispose]();
    await etcd.stop();
  });

  it('three applications with the same and other prefixes receive every event once, without a resync', async () => {
    using counter = await GrpcReverseProxy.start(proxy.endpoint);
    const start = () => startApp({ hosts: counter.endpoint });
    await using first = await start();
    await using second = await start();
    await using third = await start();
    const apps = [first, second, third];
    const shared = (await Promise.all(apps.map(({ watcher }) => watchMany(watcher, 10, '/shared/')))).flat();
    const own = (await Promise.all(apps.map(({ watcher }, index) => watchMany(watcher, 10, `/own/${index}/`)))).flat();
    const watches = [...shared, ...own];
    await eventually(() => allFollow(watches));
    const lists = counter.requestsOf('Range').length;

    const prefixes = [...new Set(watches.map(({ prefix }) => prefix))];
    const rounds = ['a', 'b', 'c'];
    const revisions = new Map<string, number[]>(prefixes.map((prefix) => [prefix, []]));
    for (const round of rounds) {
      for (const prefix of prefixes) {
        const { revision } = await first.watcher.put(prefix + round, round);
        revisions.get(prefix)?.push(revision);
      }
    }
    await eventually(() => watches.every(({ recorder }) => recorder.events.length >= rounds.length));

    for (const { prefix, recorder } of watches) expect(recorder.revisions).toEqual(revisions.get(prefix));
    expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
    expect(allFollow(watches)).toBe(true);
    expect(counter.requestsOf('Range')).toHaveLength(lists);
    expect(counter.accepted).toBe(APPS);
  });

  it('a watch of a prefix that another application watches already catches up and follows', async () => {
    await using first = await startApp({ hosts: proxy.endpoint });
    await using second = await startApp({ hosts: proxy.endpoint });
    const before = await watchMany(first.watcher, 1, '/late/');
    const { revision } = await first.watcher.put('/late/0/a', 'x');
    await eventually(() => before[0]?.recorder.events.length === 1);
    const after = await watchMany(second.watcher, 1, '/late/');
    const written = [revision];
    for (const name of ['b', 'c']) written.push((await second.watcher.put(`/late/0/${name}`, 'x')).revision);
    await eventually(() => [...before, ...after].every(({ recorder }) => recorder.events.length >= 3));

    for (const { recorder } of [...before, ...after]) {
      expect(recorder.revisions).toEqual(written);
      expect(recorder.notices).toEqual([]);
    }
  });
});
