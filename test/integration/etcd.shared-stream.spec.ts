import { setTimeout as sleep } from 'node:timers/promises';
import { ConnectionTimeoutError, KeyNotFoundError, PermissionDeniedError } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { ProtobufReader } from '../../lib/etcd/codec/protobuf-reader.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { type ForwardedRequest, GrpcReverseProxy } from '../support/grpc-reverse-proxy.js';
import { allFollow, allHaveReceived, watchMany } from '../support/many-watches.js';
import { ownEtcd } from '../support/own-etcd.js';
import { APP, startSecured } from '../support/secured-cluster.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const STREAMS = 'etcd_debugging_mvcc_watch_stream_total';
const WATCHERS = 'etcd_debugging_mvcc_watcher_total';

describe('the shared watch stream:', () => {
  const etcd = ownEtcd();

  const putEach = async (count: number, name: string): Promise<void> => {
    const entries = Array.from({ length: count }, (_, index) => [`/many/${index}/${name}`, 'x']);
    await etcd.putTogether(Object.fromEntries(entries) as Record<string, string>);
  };

  it('50 targets of an application use one gRPC stream of the server', async () => {
    await eventually(async () => (await etcd.first.metric(STREAMS)) === 0);
    await using app = await startApp({ hosts: etcd.hosts });
    const watches = await watchMany(app.watcher, 50);
    await eventually(() => allFollow(watches));
    await putEach(50, 'a');
    await eventually(() => allHaveReceived(watches, 'a'));

    expect(await etcd.first.metric(STREAMS)).toBe(1);
    expect(await etcd.first.metric(WATCHERS)).toBe(50);
  });

  it('a closed subscription cancels its watch on the server and no other', async () => {
    await using app = await startApp({ hosts: etcd.hosts });
    const watches = await watchMany(app.watcher, 10);
    await eventually(async () => (await etcd.first.metric(WATCHERS)) === 10);
    for (const { subscription } of watches.splice(0, 5)) await subscription.close();
    await eventually(async () => (await etcd.first.metric(WATCHERS)) === 5);
    await putEach(10, 'a');
    await eventually(() => allHaveReceived(watches, 'a'));

    expect(await etcd.first.metric(STREAMS)).toBe(1);
    expect(allFollow(watches)).toBe(true);
  });

  it.each([500, 2_000, 5_000])(
    'a stall of 4 s interrupts no watch, with requests that end after %i ms',
    async (requestTimeoutMs) => {
      using proxy = await TcpProxy.start(etcd.first.clientPort);
      await using app = await startApp({ hosts: proxy.endpoint, requestTimeoutMs });
      const watches = await watchMany(app.watcher, 100);
      await eventually(() => allFollow(watches));
      proxy.freeze();
      const outcome = app.watcher.get('/many/0/a').catch((error: unknown) => error);
      const interrupted = new Set<string>();
      const observe = async (ms: number): Promise<void> => {
        const until = performance.now() + ms;
        while (performance.now() < until) {
          for (const { prefix, subscription } of watches) {
            if (subscription.status !== 'following') interrupted.add(prefix);
          }
          await sleep(10);
        }
      };
      await observe(4_000);
      proxy.thaw();
      expect(await outcome).toBeInstanceOf(requestTimeoutMs < 4_000 ? ConnectionTimeoutError : KeyNotFoundError);
      await putEach(100, 'a');
      await observe(3_000);

      expect([...interrupted]).toEqual([]);
      expect(allHaveReceived(watches, 'a')).toBe(true);
      expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
    },
  );

  it('after a reset of the stream all watches follow again without a new list, and writes under way succeed', async () => {
    using proxy = await GrpcReverseProxy.start(etcd.first.endpoint);
    const logger = new CollectingLogger();
    await using app = await startApp({ hosts: proxy.endpoint, logger });
    const watches = await watchMany(app.watcher, 50);
    await eventually(() => allFollow(watches));
    await putEach(50, 'a');
    await eventually(() => allHaveReceived(watches, 'a'));
    const before = proxy.requests.length;

    const written = Promise.all(Array.from({ length: 50 }, (_, index) => app.watcher.put(`/other/${index}`, 'x')));
    await eventually(() => proxy.requestsOf('Txn').length > 0);
    expect(proxy.reset('Watch')).toBe(1);
    await putEach(50, 'b');
    await written;
    await eventually(() => allFollow(watches) && allHaveReceived(watches, 'a', 'b'));

    const ranges = proxy.requests.slice(before).filter(({ path }) => path.endsWith('/Range'));
    expect(ranges.filter((range) => !isKeysOnly(range))).toEqual([]);
    expect(proxy.requests.slice(before).filter(({ path }) => path.endsWith('/Txn'))).toHaveLength(50);
    expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
    expect(proxy.accepted).toBe(1);
    expect(await etcd.first.metric(STREAMS)).toBe(1);
    await eventually(() => logger.text.includes('50 targets: following again'));
    expect(logger.lines.filter(({ text }) => text.includes('following again'))).toHaveLength(1);
  });
});

it('a denied watch disturbs no other', async () => {
  await using secured = await startSecured();
  const { etcd, admin } = secured;
  using proxy = await GrpcReverseProxy.start(etcd.first.endpoint);
  await using app = await startApp({ hosts: proxy.endpoint, client: { hosts: proxy.endpoint, auth: APP } });
  const watches = await watchMany(app.watcher, 20, '/allowed/');
  await eventually(() => allFollow(watches));
  const streams = proxy.requestsOf('Watch').length;

  await expect(app.watcher.watch('/secret/', () => undefined)).rejects.toThrow(PermissionDeniedError);
  await expect(app.watcher.watch('/secret/', () => undefined, { initial: false })).rejects.toThrow(
    PermissionDeniedError,
  );
  for (const { prefix } of watches) await admin.put(`${prefix}a`).value('x');
  await eventually(() => allHaveReceived(watches, 'a'));

  expect(allFollow(watches)).toBe(true);
  expect(proxy.requestsOf('Watch')).toHaveLength(streams);
  expect(watches.flatMap(({ recorder }) => recorder.notices)).toEqual([]);
});

const KEYS_ONLY = (8 << 3) | 0;
const GRPC_PREFIX_BYTES = 5;

function isKeysOnly({ chunks }: ForwardedRequest): boolean {
  const reader = new ProtobufReader(Buffer.concat(chunks).subarray(GRPC_PREFIX_BYTES));
  while (reader.position < reader.end) {
    const tag = reader.tag();
    if (tag === KEYS_ONLY) return reader.bool();
    reader.skip(tag);
  }
  return false;
}
