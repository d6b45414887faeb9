/* Compiled by `public-types.spec.ts` with the settings of several applications, and never run. */
import { ParseIntPipe } from '@nestjs/common';
import { IsInt, IsString } from 'class-validator';
import {
  Delivery,
  type DeliveryContext,
  Event,
  Key,
  KeyParam,
  Payload,
  Previous,
  Signal,
  type WatchBatch,
  type WatchEvent,
  WatchKey,
  type WatchKeyOptions,
} from 'nestjs-etcd-trigger';
import { z } from 'zod';

class Order {
  @IsString() customer!: string;
}
class Limit {
  @IsInt() count!: number;
}
const Flag = z.object({ on: z.boolean() });
type FlagValue = z.output<typeof Flag>;

interface Converted {
  readonly total: bigint;
}
const CONVERTED = { type: Order } as WatchKeyOptions;

export class Accepted {
  @WatchKey('/orders/', { type: Order })
  order(_order: Order | undefined) {}
  @WatchKey('/orders/', { type: Order, retry: { attempts: 3 } })
  async all(_order: Order | undefined, _event: WatchEvent, _context: DeliveryContext): Promise<void> {}
  @WatchKey('/orders/', { type: Order })
  @WatchKey('/archive/', { type: Order })
  nothing() {}
  @WatchKey('/orders/', { type: Order })
  anything(_value: unknown) {}
  @WatchKey('/orders/', { type: Order, events: 'put' })
  put(_order: Order) {}
  @WatchKey('/orders/', { type: Order })
  optional(_order?: Order) {}
  @WatchKey('/orders/', { type: Order })
  part(_order: { readonly customer: string } | undefined) {}
  @WatchKey('/flags/', { schema: Flag })
  flag(_flag: FlagValue | undefined, _event: WatchEvent) {}
  @WatchKey('/flags/', { schema: Flag, events: 'put' })
  putFlag({ on }: FlagValue) {
    return on;
  }
  @WatchKey('/tenants/:tenant/limits', { type: Limit })
  decorated(
    @KeyParam('tenant') _tenant: string,
    @Payload() _limit: Limit | undefined,
    @Previous() _previous: Limit | undefined,
  ) {}
  @WatchKey('/jobs/:id/', { type: Limit })
  piped(@KeyParam('id', ParseIntPipe) _id: number) {}
  @WatchKey('/orders/', { type: Order })
  event(@Event() _event: WatchEvent, @Signal() _signal: AbortSignal) {}
  @WatchKey('/orders/', { type: Order })
  delivery(@Delivery() _delivery: DeliveryContext) {}
  @WatchKey('/tenants/:tenant/limits')
  signal(@Signal() _signal: AbortSignal, @Key() _key: string) {}
  @WatchKey('/orders/', CONVERTED)
  converted(_order: Converted) {}
  @WatchKey('/orders/')
  raw(_event: WatchEvent) {}
  @WatchKey('/orders/', { batch: true })
  batch(_batch: WatchBatch) {}
  @WatchKey('/orders/', { type: undefined, schema: undefined, batch: undefined, retry: undefined })
  undefinedOptions(_event: WatchEvent) {}
}

export class Refused {
  // @ts-expect-error another class
  @WatchKey('/orders/', { type: Order })
  otherClass(_order: Limit | undefined) {}
  // @ts-expect-error another class
  @WatchKey('/orders/', { type: Order })
  async otherAsync(_order: Limit | undefined, _event: WatchEvent): Promise<void> {}
  // @ts-expect-error another class, decorated
  @WatchKey('/orders/', { type: Order })
  otherPayload(@Payload() _order: Limit | undefined) {}
  // @ts-expect-error another type than that of the schema
  @WatchKey('/flags/', { schema: Flag })
  otherSchema(_flag: { readonly off: boolean } | undefined) {}
  // @ts-expect-error a batch is not a value
  @WatchKey('/orders/', { type: Order })
  batch(_batch: WatchBatch) {}
  // @ts-expect-error an unknown option
  @WatchKey('/orders/', { type: Order, retries: 3 })
  unknownOption(_order: Order | undefined) {}
}
