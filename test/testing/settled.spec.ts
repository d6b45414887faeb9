import { Injectable } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type WatchEvent, WatchKey, WatchKeyRegistry } from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule, FakeCluster, NotSettledError, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { startApp } from '../support/start-app.js';

describe('settled()', () => {
  it('waits for slow handlers and for their own writes', async () => {
    const etcd = new FakeCluster();
    await using started = await startApp({ hosts: '', client: etcd });
    const seen: string[] = [];
    await started.watcher.watch('/chain/', async ({ key }) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      seen.push(key);
      if (seen.length < 4) await started.watcher.put(`${key}+`, '');
    });
    etcd.put('/chain/', '');
    await settled(started.app);

    expect(seen).toEqual(['/chain/', '/chain/+', '/chain/++', '/chain/+++']);
  });

  it('refuses an application with handlers that is not initialized', async () => {
    @Injectable()
    class Orders {
      @WatchKey('/orders/')
      onOrder(): void {
        // Not called before the application is initialized.
      }
    }
    const imports = [EtcdTriggerTestingModule.forRoot()];
    const app = await Test.createTestingModule({ imports, providers: [Orders] }).compile();

    await expect(settled(app)).rejects.toThrow(
      'settled(): Orders.onOrder receives no events, because the application is not initialized: call "await app.init()" first',
    );
    await app.init();
    await settled(app);
    await app.close();
  });

  it('waits for retries', async () => {
    const etcd = new FakeCluster();
    await using started = await startApp({ hosts: '', client: etcd });
    const attempts: string[] = [];
    const fragile = ({ key }: WatchEvent): void => {
      attempts.push(key);
      if (attempts.length < 3) throw new Error('again');
    };
    await started.watcher.watch('/a/', fragile, { retry: { attempts: 3, backoff: { initialMs: 10 } } });
    etcd.put('/a/1', 'x');
    await settled(started.app);

    expect(attempts).toEqual(['/a/1', '/a/1', '/a/1']);
  });

  it('does not wait for events that a fault holds back, nor for a paused handler', async () => {
    const etcd = new FakeCluster();
    await using started = await startApp({ hosts: '', client: etcd });
    const seen: string[] = [];
    const subscription = await started.watcher.watch('/a/', ({ key }) => seen.push(key));
    for (const [fault, repair] of [
      [
        () => {
          etcd.disconnect();
        },
        () => {
          etcd.reconnect();
        },
      ],
      [
        () => {
          etcd.freeze();
        },
        () => {
          etcd.thaw();
        },
      ],
      [
        () => {
          subscription.pause();
        },
        () => {
          subscription.resume();
        },
      ],
    ] as const) {
      fault();
      etcd.put('/a/1', 'x');
      await settled(etcd);
      expect(seen).toEqual([]);
      repair();
      await settled(etcd);
      expect(seen.splice(0)).toEqual(['/a/1']);
    }
  });

  it('does not wait for a lagging paused handler until it is resumed', async () => {
    const etcd = new FakeCluster();
    await using started = await startApp({ hosts: '', client: etcd });
    let seen = 0;
    const subscription = await started.watcher.watch('/many/', () => (seen += 1));
    subscription.pause();
    for (let index = 0; index < 1_500; index += 1) etcd.put(`/many/${index}`, 'x');
    await settled(started.app);
    expect(seen).toBe(0);

    subscription.resume();
    await settled(started.app);
    expect(seen).toBe(1_500);
  });

  it('does not wait for a halted partition of a group, but for the other partitions', async () => {
    const etcd = new FakeCluster();
    const options = { group: { name: 'billing', partitions: 4 }, onExhausted: 'halt' } as const;
    let isDown = true;
    const seen: string[] = [];
    @Injectable()
    class Orders {
      @WatchKey('/orders/', options)
      async on({ key }: WatchEvent): Promise<void> {
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (key === '/orders/bad' && isDown) throw new Error('down');
        seen.push(key);
      }
    }
    await using started = await startApp(
      { hosts: '', client: etcd, coordination: { prefix: '/co' } },
      { providers: [Orders] },
    );
    etcd.put('/orders/bad', 'x');
    await settled(etcd);
    expect(seen).toEqual([]);

    // More than a partition queues.
    const keys = Array.from({ length: 6_000 }, (_, index) => `/orders/${index}`);
    for (const key of keys) etcd.put(key, 'x');
    await settled(started.app);
    expect(seen.length).toBeGreaterThan(1_000);
    expect(seen.length).toBeLessThan(5_000);

    isDown = false;
    started.app.get(WatchKeyRegistry).resume();
    await settled(started.app);
    expect([...seen].sort()).toEqual(['/orders/bad', ...keys].sort());
  });

  it('names the pending work after the timeout', async () => {
    const etcd = new FakeCluster({ '/a/1': 'x' });
    await using started = await startApp({ hosts: '', client: etcd, shutdown: { drainTimeoutMs: 1 } });
    await started.watcher.watch('/a/', () => new Promise(() => undefined));

    await expect(settled(started.app, { timeoutMs: 20 })).rejects.toThrow(
      'settled(): work was still pending after 20 ms: handler of prefix "/a/": 1 event',
    );
    await expect(settled(started.app, { timeoutMs: 20 })).rejects.toBeInstanceOf(NotSettledError);
  });

  it('resolves immediately for an unused fake, and rejects other targets', async () => {
    await settled(new FakeCluster({ '/a': 'x' }));
    const empty = await Test.createTestingModule({}).compile();
    await expect(settled(empty)).rejects.toThrow(
      'settled() needs a FakeCluster, or an application that imports EtcdTriggerModule',
    );
  });
});
