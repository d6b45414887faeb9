import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { ClusterLocks, WatcherService } from 'nestjs-etcd-trigger';
import { POD } from './identity.js';
import { OrderTotals } from './order-totals.js';
import { print } from './terminal.js';

const DURATION_MS = 5_000;
const MAX_WAIT_MS = 60_000;

export interface Stock {
  readonly orders: number;
  readonly by: string;
  /** Grows with every owner of the lock. */
  readonly token: number;
}

/** Takes stock on one instance at a time. Others wait, first come, first served. */
@Injectable()
export class Stocktaking {
  constructor(
    private readonly locks: ClusterLocks,
    private readonly totals: OrderTotals,
    private readonly watcher: WatcherService,
  ) {}

  run(): Promise<Stock> {
    return this.locks.run(
      'stocktaking',
      async (fence) => {
        print('lock', `stocktaking begins (token ${fence.token})`);
        await sleep(DURATION_MS, undefined, { signal: fence.signal });
        const stock: Stock = { orders: this.totals.latest?.orders ?? 0, by: POD, token: fence.token };
        await this.watcher.put('/app/stock', JSON.stringify(stock), { fence });
        print('lock', `stocktaking has ended: ${stock.orders} orders`);
        return stock;
      },
      { waitMs: MAX_WAIT_MS },
    );
  }
}
