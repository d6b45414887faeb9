import { Test } from '@nestjs/testing';
import type { INestApplication } from '@nestjs/common';
import { ConnectionClosedError, WatcherService } from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule, FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { Deferred } from '../../../lib/timing/deferred.js';
import { eventually } from '../../support/eventually.js';
import { quiet } from '../../support/quiet-logger.js';

/** Longer than the time limit of a test. */
const TOO_LONG_MS = 600_000;

const start = async (drainTimeoutMs: number) => {
  const fake = new FakeCluster({ '/a': 'first' });
  const options = { fake, shutdown: { drainTimeoutMs }, logger: quiet };
  const module = await Test.createTestingModule({ imports: [EtcdTriggerTestingModule.forRoot(options)] }).compile();
  const app: INestApplication = await module.createNestApplication({ logger: false }).init();
  return { app, fake, watcher: app.get(WatcherService) };
};

describe('the shutdown of an application', () => {
  it('does not wait if no handler is running', async () => {
    const { app, watcher } = await start(TOO_LONG_MS);
    const subscription = await watcher.watch('/a', () => undefined);
    await subscription.initialDelivered;

    await app.close();
    expect(await subscription.closed).toBeInstanceOf(ConnectionClosedError);
  });

  it('lets a running handler finish, also of a closed watch, and starts no other calls', async () => {
    const { app, fake, watcher } = await start(TOO_LONG_MS);
    const blocker = new Deferred();
    const order: string[] = [];
    const handler = async (): Promise<void> => {
      order.push('begun');
      await blocker.promise;
      order.push('ended');
    };
    const subscription = await watcher.watch('/a', handler);
    await eventually(() => order.length === 1);
    fake.put('/a', 'second');
    await eventually(() => subscription.pending === 2);
    await subscription.close();
    const closed = app.close().then(() => order.push('closed'));
    setImmediate(blocker.resolve);
    await closed;

    expect(order).toEqual(['begun', 'ended', 'closed']);
  });

  it('waits for a running onResync', async () => {
    const { app, fake, watcher } = await start(TOO_LONG_MS);
    const blocker = new Deferred();
    const order: string[] = [];
    const onResync = async (): Promise<void> => {
      order.push('begun');
      await blocker.promise;
      order.push('ended');
    };
    const subscription = await watcher.watch('/a', () => undefined, { onResync });
    await eventually(() => subscription.status === 'following');
    fake.disconnect();
    fake.put('/a', 'second');
    fake.compact();
    fake.reconnect();
    await eventually(() => order.length === 1);
    const closed = app.close().then(() => order.push('closed'));
    setImmediate(blocker.resolve);
    await closed;

    expect(order).toEqual(['begun', 'ended', 'closed']);
  });

  it('aborts the signal of a handler after the drain timeout, and does not count that as a failure', async () => {
    const { app, watcher } = await start(20);
    const reasons: unknown[] = [];
    let hasBegun = false;
    const subscription = await watcher.watch('/a', async (_event, { signal }) => {
      hasBegun = true;
      await new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          reasons.push(signal.reason);
          reject(signal.reason as Error);
        });
      });
    });
    await eventually(() => hasBegun);

    await app.close();
    expect(reasons[0]).toBeInstanceOf(ConnectionClosedError);
    await subscription.closed;
    expect(subscription.failures).toBe(0);
  });

  it('does not wait for a retry', async () => {
    const { app, watcher } = await start(TOO_LONG_MS);
    let calls = 0;
    const backoff = { initialMs: TOO_LONG_MS, maxMs: TOO_LONG_MS };
    const failing = (): void => {
      calls += 1;
      throw new Error('again');
    };
    const subscription = await watcher.watch('/a', failing, { retry: { attempts: 2, backoff } });
    await eventually(() => calls === 1);

    await app.close();
    await subscription.closed;
    expect(calls).toBe(1);
  });
});
