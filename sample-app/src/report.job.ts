import { Injectable } from '@nestjs/common';
import { ClusterCron, type ClusterCronTick, WatcherService } from 'nestjs-etcd-trigger';
import { OrderTotals } from './order-totals.js';
import { print } from './terminal.js';

/** Reports the totals every ten seconds, on one instance. */
@Injectable()
export class ReportJob {
  constructor(
    private readonly totals: OrderTotals,
    private readonly watcher: WatcherService,
  ) {}

  @ClusterCron('*/10 * * * * *', { name: 'report', missed: 'skip' })
  async report({ scheduledAt, fence }: ClusterCronTick): Promise<void> {
    const { orders, total } = this.totals.latest ?? { orders: 0, total: 0 };
    const report = `${orders} orders, total ${total} at ${scheduledAt.toISOString()}`;
    await this.watcher.put('/app/report', report, { fence });
    print('report', report);
  }
}
