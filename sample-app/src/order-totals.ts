import { Injectable, type OnModuleInit } from '@nestjs/common';
import { IsInt, IsNumber, IsString } from 'class-validator';
import {
  type Election,
  type Fence,
  FenceLostError,
  InjectElection,
  OnElected,
  WatcherService,
  type WatchEvent,
  WatchKey,
} from 'nestjs-etcd-trigger';
import { distinctUntilChanged, map } from 'rxjs';
import { POD } from './identity.js';
import { print } from './terminal.js';

const ORDERS = '/app/events/order-';
const TOTALS = '/app/totals';

export class Totals {
  @IsInt() orders!: number;
  @IsNumber() total!: number;
  /** The pod that has added the orders up. */
  @IsString() by!: string;
}

/** One instance leads: it adds up all orders and writes the totals. Every instance reads them. */
@Injectable()
export class OrderTotals implements OnModuleInit {
  latest: Totals | undefined;

  constructor(
    @InjectElection('order-totals') private readonly election: Election,
    private readonly watcher: WatcherService,
  ) {}

  onModuleInit(): void {
    const leaders$ = this.election.changes$.pipe(map(({ leader }) => leader));
    leaders$.pipe(distinctUntilChanged((one, other) => one?.token === other?.token)).subscribe((leader) => {
      print(
        'leader',
        leader ? `${leader.pod} adds up the orders (token ${leader.token})` : 'nobody adds up the orders',
      );
    });
  }

  /** Resolves when the orders are followed. The term goes on until this instance stops or loses it. */
  @OnElected('order-totals')
  async lead(term: Fence): Promise<void> {
    const orders = new Map<string, number>();
    const following = await this.watcher.watch(
      ORDERS,
      async (event) => {
        add(orders, event);
        if (event.origin !== 'initial') await this.#write(orders, term);
      },
      { order: 'target', signal: term.signal },
    );
    await following.initialDelivered;
    await this.#write(orders, term);
  }

  @WatchKey({ key: TOTALS }, { type: Totals })
  onTotals(totals: Totals | undefined): void {
    this.latest = totals;
  }

  /** The fence keeps a former leader, which has not noticed yet that another one leads, from overwriting the totals. */
  async #write(orders: ReadonlyMap<string, number>, term: Fence): Promise<void> {
    const total = [...orders.values()].reduce((sum, each) => sum + each, 0);
    const totals: Totals = { orders: orders.size, total, by: POD };
    try {
      await this.watcher.put(TOTALS, JSON.stringify(totals), { fence: term });
    } catch (error) {
      if (!(error instanceof FenceLostError)) throw error;
    }
  }
}

function add(orders: Map<string, number>, { key, value }: WatchEvent): void {
  if (value) orders.set(key, totalOf(value.toString()));
  else orders.delete(key);
}

/** Anyone may write an event, so its total may be missing. */
function totalOf(json: string): number {
  try {
    const { total } = JSON.parse(json) as { readonly total?: unknown };
    return Number.isFinite(total) ? Number(total) : 0;
  } catch {
    return 0;
  }
}
