import { ConnectionError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { GrpcReverseProxy } from '../support/grpc-reverse-proxy.js';
import { allFollow, allHaveReceived, watchMany } from '../support/many-watches.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';

describe('a server that limits the streams of a connection:', () => {
  const etcd = ownEtcd();

  it.each([3, 4])('20 targets and 50 concurrent calls work with %i streams', async (maxConcurrentStreams) => {
    using proxy = await GrpcReverseProxy.start(etcd.first.endpoint, { maxConcurrentStreams });
    await using app = await startApp({ hosts: proxy.endpoint });
    const watches = await watchMany(app.watcher, 20);
    await eventually(() => allFollow(watches));
    const names = ['a', 'b', 'c'];
    for (const name of names) await Promise.all(watches.map(({ prefix }) => app.watcher.put(prefix + name, 'x')));
    await Promise.all(Array.from({ length: 50 }, () => app.watcher.get('/many/0/a')));
    await eventually(() => allHaveReceived(watches, ...names));

    expect(allFollow(watches)).toBe(true);
    expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
    expect(proxy.maxOpenStreams).toBeLessThanOrEqual(maxConcurrentStreams);
    expect(proxy.accepted).toBe(1);
    expect(proxy.requestsOf('Watch')).toHaveLength(1);
  });

  it.each([
    [1, 'the server allows 1 stream per connection; at least 3 are needed'],
    [2, 'the server allows 2 streams per connection; at least 3 are needed'],
  ])('a limit of %i causes a ConnectionError that names the limit', async (maxConcurrentStreams, reason) => {
    using proxy = await GrpcReverseProxy.start(etcd.first.endpoint, { maxConcurrentStreams });
    await using app = await startApp({ hosts: proxy.endpoint, requestTimeoutMs: 1_000 });

    for (const attempt of [
      () => app.watcher.get('/k'),
      () => app.watcher.put('/k', 'v'),
      () => app.watcher.watch('/k', () => undefined),
    ]) {
      await expect(attempt()).rejects.toThrow(ConnectionError);
      await expect(attempt()).rejects.toThrow(reason);
    }
    expect(proxy.requests).toEqual([]);
  });
});
