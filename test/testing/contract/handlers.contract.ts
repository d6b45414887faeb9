import { Injectable } from '@nestjs/common';
import { OnWatchResync, type ResyncNotice, type WatchEvent, WatchKey, WatcherService } from 'nestjs-etcd-trigger';
import { settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { startApp } from '../../support/start-app.js';
import type { ContractCluster } from './contract-cluster.js';

@Injectable()
class Orders {
  readonly seen: string[] = [];

  constructor(private readonly watcher: WatcherService) {}

  /** Slow, and writes another key, for which `settled()` must wait too. */
  @WatchKey('/ho/orders/')
  async onOrder({ type, key, value, origin }: WatchEvent): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.seen.push(`${origin} ${type} ${key}`);
    if (value?.toString() === 'new') await this.watcher.put(`/ho/bills/${key}`, 'bill');
  }

  @WatchKey('/ho/bills/', { order: 'target' })
  onBill({ type, key, origin }: WatchEvent): void {
    this.seen.push(`${origin} ${type} ${key}`);
    throw new Error('a failure is logged, and the next event proceeds');
  }

  @OnWatchResync('/ho/orders/')
  onResync({ reason }: ResyncNotice): void {
    this.seen.push(reason);
  }
}

export function handlersContract(cluster: () => ContractCluster): void {
  describe('handlers', () => {
    it('are called for what exists, for what happens, and for what they cause themselves', async () => {
      await cluster().write({ '/ho/orders/1': 'old' });
      await using started = await startApp({ hosts: '', client: cluster().client }, { providers: [Orders] });
      const { seen } = started.app.get(Orders);
      await settled(started.app);
      expect(seen.splice(0)).toEqual(['initial put /ho/orders/1']);

      await cluster().write({ '/ho/orders/2': 'new' });
      await settled(started.app);
      expect(seen.splice(0)).toEqual(['live put /ho/orders/2', 'live put /ho/bills//ho/orders/2']);

      await cluster().disconnect();
      await cluster().write({ '/ho/orders/2': undefined });
      await cluster().compact(await cluster().write({ '/ho/orders/3': 'x' }));
      await cluster().reconnect();
      await settled(started.app);
      expect(seen).toEqual(['compacted', 'resync delete /ho/orders/2', 'resync put /ho/orders/3']);
    });
  });
}
