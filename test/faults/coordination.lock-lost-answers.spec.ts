import { ClusterLocks } from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { startApp } from '../support/start-app.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const MAX_TAKE_OVER_MS = 2_000;
/** Bytes of answers before the cut. The highest ones let the answer pass. */
const CUTS = Array.from({ length: 16 }, (_, index) => 1 + index * 17);

describe('a lock whose answers are lost', () => {
  const etcd = ownEtcd();

  const start = async (hosts: string | string[], options: { requestTimeoutMs?: number } = {}) => {
    const started = await startApp({ hosts, ...options, coordination: { prefix: '/coordination', ttlSeconds: 60 } });
    return { ...started, locks: started.app.get(ClusterLocks) };
  };
  const queue = (): Promise<string[]> => etcd.direct.getAll().prefix('/coordination/v1/locks/').keys();

  it('is acquired once, wherever the answer to its queue key is cut', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using cut = await start(proxy.endpoint);
    await using other = await start(etcd.hosts);
    let last = 0;
    for (const bytes of CUTS) {
      proxy.cutAfter(bytes);
      const { fence, release } = await acquire(cut.locks);
      expect(await queue()).toHaveLength(1);
      expect(fence.token).toBeGreaterThan(last);
      expect(await other.locks.tryAcquire('cut')).toBe(undefined);
      await release();
      const next = await acquire(other.locks);
      last = next.fence.token;
      await next.release();
      expect(await queue()).toEqual([]);
    }
  });

  it('is acquired by the next one within 2 s, wherever the answer to the deletion is cut', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using cut = await start(proxy.endpoint);
    await using other = await start(etcd.hosts);
    for (const bytes of CUTS) {
      proxy.cutAfter(Infinity);
      const { release } = await acquire(cut.locks);
      const waiting = acquire(other.locks);
      await eventually(async () => (await queue()).length === 2);
      proxy.cutAfter(bytes);
      const releasedAt = performance.now();
      const [, next] = await Promise.all([release(), waiting]);
      expect(performance.now() - releasedAt).toBeLessThan(MAX_TAKE_OVER_MS);
      expect(await queue()).toHaveLength(1);
      await next.release();
      expect(await queue()).toEqual([]);
    }
  });

  it.each(['up', 'down'] as const)(
    'leaves no key if the wait ends while messages %s are held back',
    async (direction) => {
      using proxy = await TcpProxy.start(etcd.first.clientPort);
      await using cut = await start(proxy.endpoint);
      await using other = await start(etcd.hosts);
      await (await acquire(cut.locks)).release();
      proxy.freeze(direction);
      const wait = new AbortController();
      const given = cut.locks.acquire('cut', { signal: wait.signal });
      if (direction === 'down') await eventually(async () => (await queue()).length === 1);
      else await eventually(() => proxy.bufferedUp > 0);
      wait.abort(new Error('not needed'));
      await expect(given).rejects.toThrow('not needed');
      proxy.thaw(direction);
      const thawedAt = performance.now();
      await (await acquire(other.locks)).release();
      expect(performance.now() - thawedAt).toBeLessThan(MAX_TAKE_OVER_MS);
      await eventually(async () => (await queue()).length === 0);
    },
  );

  it('is free at once although the queue key of a wait that was given up arrives after its deletion', async () => {
    using proxy = await TcpProxy.start(etcd.first.clientPort);
    await using cut = await start(proxy.endpoint, { requestTimeoutMs: 500 });
    await using other = await start(etcd.hosts);
    await (await acquire(cut.locks)).release();
    const deliver = proxy.holdOpen();
    const wait = new AbortController();
    const given = cut.locks.acquire('cut', { signal: wait.signal });
    await eventually(() => proxy.bufferedUp > 0);
    wait.abort(new Error('not needed'));
    await expect(given).rejects.toThrow('not needed');
    // The instance has given up the connection and settled the outcome on another one.
    const barriers = etcd.direct.getAll().prefix('/coordination/v1/leases/');
    await eventually(async () => (await barriers.keys()).length === 1);
    const applied = async (): Promise<number> => (await etcd.first.metric('etcd_server_proposals_applied_total')) ?? 0;
    await eventually(async () => (await queue()).length === 0);
    const before = await applied();

    // The end of the connection must not overtake the request in etcd.
    proxy.throttle(10_000);
    deliver();
    await eventually(async () => (await applied()) > before);
    expect(await queue()).toEqual([]);
    const lock = await other.locks.tryAcquire('cut');
    expect(lock?.fence.held).toBe(true);
    await lock?.release();
  });
});

async function acquire(locks: ClusterLocks) {
  const lock = await locks.acquire('cut');
  return { fence: lock.fence, release: () => lock.release() };
}
