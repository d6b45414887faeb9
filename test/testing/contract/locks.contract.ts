import {
  type ClusterLock,
  ClusterLocks,
  ConnectionClosedError,
  FenceLostError,
  InvalidOptionsError,
  LockLostError,
  LockTimeoutError,
  WatcherService,
} from 'nestjs-etcd-trigger';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { startApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';
import { recordsUnder } from './records-under.js';

export function locksContract(cluster: () => ContractCluster): void {
  describe('locks', () => {
    let prefix = '';
    const start = async () => {
      const coordination = { prefix, ttlSeconds: 5 };
      const { app, ...rest } = await startApp({ hosts: '', client: cluster().client, coordination });
      return { ...rest, locks: app.get(ClusterLocks), watcher: app.get(WatcherService) };
    };
    const beginTest = (name: string): void => {
      prefix = `/locks/${name}`;
    };
    /** The keys of the queue, the first one first. */
    const queueOf = async (name: string): Promise<string[]> =>
      [...(await recordsUnder(cluster(), `${prefix}/v1/locks/${name}/`))]
        .sort((a, b) => a.createRevision - b.createRevision)
        .map(({ rawKey }) => rawKey);

    it('are acquired by one caller at a time, first come, first served, across instances', async () => {
      beginTest('order');
      await using first = await start();
      await using second = await start();
      const order: unknown[] = [];
      const waiting: Promise<ClusterLock>[] = [];
      const callers = [first, second, second, first, second];
      for (const [index, app] of callers.entries()) {
        const before = (await queueOf('job')).length;
        const lock = app.locks.acquire('job');
        void lock.then(() => order.push(index));
        waiting.push(lock);
        await eventually(async () => (await queueOf('job')).length > before);
      }
      let token = 0;
      for (const [index, acquiring] of waiting.entries()) {
        const lock = await acquiring;
        const { fence } = lock;
        expect(order).toEqual(Array.from({ length: index + 1 }, (_, each) => each));
        expect([fence.name, fence.held, fence.signal.aborted, await fence.verify()]).toEqual([
          'job',
          true,
          false,
          true,
        ]);
        expect(fence.token).toBeGreaterThan(token);
        token = fence.token;
        await lock.release();
        expect([fence.held, fence.signal.aborted]).toEqual([false, true]);
      }
      expect(await queueOf('job')).toEqual([]);
    });

    it('are tried without waiting', async () => {
      beginTest('try');
      await using first = await start();
      await using second = await start();
      const lock = await first.locks.tryAcquire('job');
      expect(lock?.fence.held).toBe(true);
      expect([await second.locks.tryAcquire('job'), await first.locks.tryAcquire('job')]).toEqual([
        undefined,
        undefined,
      ]);
      expect((await queueOf('job')).length).toBe(1);
      await lock?.release();
      const next = await second.locks.tryAcquire('job');
      expect(next?.fence.token).toBeGreaterThan(lock?.fence.token ?? Infinity);
      // Another lock is not affected, even if its name begins the same.
      await using other = await first.locks.tryAcquire('job-2');
      await using prefixed = await first.locks.tryAcquire('jo');
      expect([other?.fence.held, prefixed?.fence.held]).toEqual([true, true]);
      await next?.release();
    });

    it('run a function, release in any case, and return its result', async () => {
      beginTest('run');
      await using app = await start();
      const result = await app.locks.run('job', async (fence) => {
        await app.watcher.put('/locks-effect', 'x', { fence });
        expect(await app.locks.tryAcquire('job')).toBe(undefined);
        return fence.token;
      });
      expect(result).toBeGreaterThan(0);
      const failure = new Error('no work to do');
      await expect(app.locks.run('job', () => Promise.reject(failure))).rejects.toBe(failure);
      expect(await queueOf('job')).toEqual([]);
    });

    it('are no longer waited for after the limit, an abort, or the shutdown', async () => {
      beginTest('waits');
      await using first = await start();
      const second = await start();
      const lock = await first.locks.acquire('job');
      const abort = new AbortController();
      const limited = second.locks.acquire('job', { waitMs: 1_000 });
      const aborted = second.locks.acquire('job', { signal: abort.signal });
      const closed = second.locks.acquire('job');
      const outcomes = Promise.allSettled([limited, aborted, closed]);
      await eventually(async () => (await queueOf('job')).length === 4);

      const reason = new Error('not needed');
      abort.abort(reason);
      await expect(aborted).rejects.toBe(reason);
      await cluster().pass(1_000);
      await expect(limited).rejects.toThrow(LockTimeoutError);
      await expect(limited).rejects.toThrow('the lock "job" was not acquired within 1000 ms');
      await eventually(async () => (await queueOf('job')).length === 2);
      await second[Symbol.asyncDispose]();
      await expect(closed).rejects.toThrow(ConnectionClosedError);
      await outcomes;
      await expect(second.locks.acquire('job')).rejects.toThrow(ConnectionClosedError);
      await expect(second.locks.tryAcquire('job')).rejects.toThrow(ConnectionClosedError);
      expect((await queueOf('job')).length).toBe(1);
      expect(lock.fence.held).toBe(true);
      await lock.release();
    });

    it('pass over those who have given up', async () => {
      beginTest('gap');
      await using first = await start();
      await using second = await start();
      const lock = await first.locks.acquire('job');
      const abort = new AbortController();
      const givenUp = first.locks.acquire('job', { signal: abort.signal });
      await eventually(async () => (await queueOf('job')).length === 2);
      const last = second.locks.acquire('job');
      await eventually(async () => (await queueOf('job')).length === 3);
      abort.abort();
      await expect(givenUp).rejects.toThrow();
      await eventually(async () => (await queueOf('job')).length === 2);
      expect(lock.fence.held).toBe(true);
      await lock.release();
      await (await last).release();
    });

    it('are lost when their key is deleted, and their fenced writes are refused', async () => {
      beginTest('deleted');
      await using first = await start();
      await using second = await start();
      let fenced: unknown;
      const lost = first.locks.run('job', async (fence) => {
        const next = second.locks.acquire('job');
        const [own = ''] = await queueOf('job');
        await cluster().write({ [own]: undefined });
        await eventually(() => fence.signal.aborted);
        expect(fence.held).toBe(false);
        fenced = await first.watcher.put('/locks-effect', 'late', { fence }).catch((error: unknown) => error);
        await (await next).release();
      });
      await expect(lost).rejects.toThrow(LockLostError);
      expect(fenced).toBeInstanceOf(FenceLostError);
    });

    it('report a loss when the function ends with the reason of the signal, and pass on any other error', async () => {
      beginTest('reasons');
      await using app = await start();
      const lose = async (fail: (signal: AbortSignal) => unknown): Promise<unknown> =>
        app.locks
          .run('job', async ({ signal }) => {
            const [own = ''] = await queueOf('job');
            await cluster().write({ [own]: undefined });
            await eventually(() => signal.aborted);
            throw fail(signal);
          })
          .catch((error: unknown) => error);
      const other = new Error('other');

      expect(await lose(({ reason }) => reason)).toBeInstanceOf(LockLostError);
      expect(await lose(() => new DOMException('stopped', 'AbortError'))).toBeInstanceOf(LockLostError);
      expect(await lose(() => other)).toBe(other);
    });

    it('are acquired although the key in the queue is deleted meanwhile', async () => {
      beginTest('requeued');
      await using first = await start();
      await using second = await start();
      const lock = await first.locks.acquire('job');
      const waiting = second.locks.acquire('job');
      await eventually(async () => (await queueOf('job')).length === 2);
      const [, own = ''] = await queueOf('job');
      await cluster().write({ [own]: undefined });
      await eventually(async () => {
        const queue = await queueOf('job');
        return queue.length === 2 && !queue.includes(own);
      });
      await lock.release();
      await (await waiting).release();
    });

    it('are lost with the lease, and acquired again under another one', async () => {
      beginTest('revoked');
      await using app = await start();
      const lock = await app.locks.acquire('job');
      const waiting = app.locks.acquire('job');
      await eventually(async () => (await queueOf('job')).length === 2);
      const [own = ''] = await queueOf('job');
      const { lease } = await app.watcher.get(own);

      await cluster().revokeLease(lease ?? '');
      await eventually(() => lock.fence.signal.aborted);
      expect(lock.fence.held).toBe(false);
      await cluster().pass(2_000);
      const next = await waiting;
      expect(next.fence.held).toBe(true);
      expect(next.fence.token).toBeGreaterThan(lock.fence.token);
      await Promise.all([lock.release(), next.release()]);
    });

    it('are lost at the own deadline when etcd is away, and a wait goes on afterwards', async () => {
      beginTest('outage');
      await using app = await start();
      const lock = await app.locks.acquire('job');
      const waiting = app.locks.acquire('job');
      await eventually(async () => (await queueOf('job')).length === 2);

      await cluster().disconnect();
      await cluster().pass(6_000);
      await eventually(() => lock.fence.signal.aborted);
      expect(lock.fence.held).toBe(false);
      await cluster().reconnect();
      void lock.release();
      const next = await waiting;
      expect(next.fence.held).toBe(true);
      await next.release();
    });

    it('are released at shutdown when their function has ended, with fenced writes until then', async () => {
      beginTest('shutdown');
      await using other = await start();
      const app = await start();
      const order: string[] = [];
      const running = app.locks.run('job', async (fence) => {
        order.push('running');
        await new Promise((resolve) => {
          fence.signal.addEventListener('abort', resolve);
        });
        await app.watcher.put('/locks-effect', 'last words', { fence });
        order.push(fence.held ? 'ended while held' : 'ended');
        return 'result';
      });
      await eventually(() => order.length === 1);
      const next = other.locks.acquire('job');
      void next.then(() => order.push('next'));
      await app[Symbol.asyncDispose]();
      expect(await running).toBe('result');
      await (await next).release();
      expect(order).toEqual(['running', 'ended while held', 'next']);
      expect(await queueOf('job')).toEqual([]);
    });

    it('refuse names that cannot be part of a key, and other invalid arguments', async () => {
      beginTest('invalid');
      await using app = await start();
      const revision = await cluster().revision();
      for (const name of ['', 'a/b', 'ä', 'x'.repeat(129), undefined as unknown as string]) {
        await expect(app.locks.acquire(name)).rejects.toThrow(InvalidOptionsError);
        await expect(app.locks.tryAcquire(name)).rejects.toThrow(InvalidOptionsError);
      }
      const swapped = app.locks.run('job', { waitMs: 1 } as never, (() => undefined) as never);
      await expect(swapped).rejects.toThrow('the lock "job": pass the function to call second, and the options third');
      const nameless = app.locks.run(undefined as never, {} as never);
      await expect(nameless).rejects.toThrow(InvalidOptionsError);
      for (const waitMs of [0, -1, NaN, Infinity]) {
        await expect(app.locks.run('job', () => 1, { waitMs })).rejects.toThrow(/^the lock "job": waitMs must be/);
      }
      await expect(app.locks.acquire('job', { signal: AbortSignal.abort() })).rejects.toThrow(/abort/);
      expect(await cluster().revision()).toBe(revision);
    });
  });
}
