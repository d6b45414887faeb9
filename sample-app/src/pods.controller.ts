import { Controller, Get, Post } from '@nestjs/common';
import {
  type CronDescription,
  type ElectionDescription,
  EtcdTriggerInspector,
  type LockDescription,
} from 'nestjs-etcd-trigger';
import { POD } from './identity.js';
import { type Instance, Instances } from './instances.js';
import { OrderTotals, type Totals } from './order-totals.js';
import { type Stock, Stocktaking } from './stocktaking.js';

/** The elections, locks, cron jobs and instances, as this instance sees them. */
interface Pods {
  /** This instance. */
  readonly pod: string;
  readonly instances: readonly Instance[];
  readonly totals: Totals | undefined;
  readonly elections: readonly ElectionDescription[];
  /** The locks of this instance. */
  readonly locks: readonly LockDescription[];
  readonly crons: readonly CronDescription[];
  /** Reasons why this instance cannot take part. */
  readonly problems: readonly string[];
}

/** Shows what the instances share, and takes stock under a lock. */
@Controller()
export class PodsController {
  constructor(
    private readonly inspector: EtcdTriggerInspector,
    private readonly instances: Instances,
    private readonly totals: OrderTotals,
    private readonly stocktaking: Stocktaking,
  ) {}

  @Get('pods')
  pods(): Pods {
    const { coordination, crons = [] } = this.inspector.describe().clusters[0] ?? {};
    return {
      pod: POD,
      instances: this.instances.all.value,
      totals: this.totals.latest,
      elections: coordination?.elections ?? [],
      locks: coordination?.locks ?? [],
      crons,
      problems: coordination?.problems ?? [],
    };
  }

  /** Responds when this instance has had its turn. */
  @Post('stocktaking')
  takeStock(): Promise<Stock> {
    return this.stocktaking.run();
  }
}
