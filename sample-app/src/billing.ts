import { Injectable } from '@nestjs/common';
import { IsNumber, IsString } from 'class-validator';
import { type DeliveryContext, type WatchEvent, WatchKey } from 'nestjs-etcd-trigger';
import { POD } from './identity.js';
import { print } from './terminal.js';

export const BILLS = '/app/bills/';

/** Anyone may write an event. One without a total is reported as invalid and not billed. */
export class Order {
  @IsNumber() total!: number;
}

export class Bill {
  @IsString() order!: string;
  @IsNumber() total!: number;
  /** The pod that has written the bill. */
  @IsString() by!: string;
}

/** The instances share the orders: each is billed once, by the owner of its partition. */
@Injectable()
export class Billing {
  /** The bill is written in the transaction that marks the order as handled, so that a crash repeats neither. */
  @WatchKey('/app/events/order-', { type: Order, group: { name: 'billing', partitions: 4 }, events: 'put' })
  async onOrder({ total }: Order, { key }: WatchEvent, context: DeliveryContext): Promise<void> {
    const order = key.slice(key.lastIndexOf('/') + 1);
    await context.commit((tx) => {
      tx.put(`${BILLS}${order}`, Bill, { order, total, by: POD });
    });
    print('billing', `${order} is billed: ${total}`);
  }
}
