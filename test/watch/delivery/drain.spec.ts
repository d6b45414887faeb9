import { Test } from '@nestjs/testing';
import type { INestApplication } from '@nestjs/common';
import { ConnectionClosedError, WatcherService } from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule, FakeCluster } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import { quiet } from '../../support/quiet-logger.js';

/** Longer than any test may take: who waits for it fails. */
const TOO_LONG_MS = 600_000;

const start = async (drainTimeoutMs: number) => {
  const fake = new FakeCluster({ '/a': 'first' });
  const options = { fake, shutdown: { drainTimeoutMs }, logger: quiet };
  const module = await Test.createTestingModule({ imports: [EtcdTriggerTestingModule.forRoot(options)] }).compile();
  const app: INestApplication = await module.createNestApplication({ logger: false }).init();
  return { app, fake, watcher: app.get(WatcherService) };
};

/** A handler that runs until it is released. */
const held = () => {
  let release!: () => void;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  return { release, released };
};

describe('an application that stops', () => {
  it('waits for nobody when no handler runs', async () => {
    const { app, watcher } = await start(TOO_LONG_MS);
    const subscription = await watcher.watch('/a', () => undefined);
    await subscription.initialDelivered;

    await app.close();
    expect(await subscription.closed).toBeInstanceOf(ConnectionClosedError);
  });

  it('lets a handler that runs finish, even of a watch that was closed before, and starts no other', async () => {
    const { app, fake, watcher } = await start(TOO_LONG_MS);
    const { release, released } = held();
    const order: string[] = [];
    const handler = async (): Promise<void> => {
      order.push('begun');
      await released;
      order.push('ended');
    };
    const subscription = await watcher.watch('/a', handler);
    await eventually(() => order.length === 1);
    fake.put('/a', 'second');
    await eventually(() => subscription.pending === 2);
    await subscription.close();
    const closed = app.close().then(() => order.push('closed'));
    setImmediate(release);
    await closed;

    expect(order).toEqual(['begun', 'ended', 'closed']);
  });

  it('waits for who was told of a resync', async () => {
    const { app, fake, watcher } = await start(TOO_LONG_MS);
    const { release, released } = held();
    const order: string[] = [];
    const onResync = async (): Promise<void> => {
      order.push('told');
      await released;
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
    setImmediate(release);
    await closed;

    expect(order).toEqual(['told', 'ended', 'closed']);
  });

  it('aborts the signal of a handler that takes longer than it may, which is then no failure', async () => {
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

  it('does not wait for another attempt', async () => {
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
