/* Compiled by `public-types.spec.ts` with the settings of strict applications, and never run. */
import { IsString } from 'class-validator';
import { WatchKey } from 'nestjs-etcd-trigger';
import { z } from 'zod';

class Order {
  @IsString() customer!: string;
}
const Flag = z.object({ on: z.boolean() });

export class Refused {
  // @ts-expect-error a deletion has no value
  @WatchKey('/orders/', { type: Order })
  deleted(_order: Order) {}
  // @ts-expect-error a deletion has no value
  @WatchKey('/flags/', { schema: Flag })
  deletedFlag({ on }: z.output<typeof Flag>) {
    return on;
  }
}
