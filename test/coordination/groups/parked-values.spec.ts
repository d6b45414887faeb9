import { Injectable } from '@nestjs/common';
import { IsInt, IsString, ValidateNested } from 'class-validator';
import { Type } from 'class-transformer';
import { type EtcdTriggerOptions, Secret, WatchKey } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { startInstance } from './group-app.js';

class Order {
  @IsInt() count!: number;
}
class Card {
  @Secret() @IsString() number!: string;
}
class PaidOrder {
  @ValidateNested() @Type(() => Card) card!: Card;
}

const PARKING = { group: 'billing', onExhausted: 'park' } as const;

/** Parks an event with this value, and returns the stored record. */
async function parkedValue(
  document: object,
  handled: { readonly type: typeof Order | typeof PaidOrder } | { readonly schema: z.ZodType<object> },
  configs: EtcdTriggerOptions['configs'] = [],
): Promise<string | undefined> {
  @Injectable()
  class Orders {
    @WatchKey('/orders/', { ...PARKING, ...handled } as Parameters<typeof WatchKey>[1])
    on(): void {
      throw new Error('broken');
    }
  }
  const fake = new FakeCluster();
  await using one = await startInstance(fake, Orders, { configs });
  fake.put('/orders/a', JSON.stringify(document));
  await settled(one.app);
  const [key = ''] = fake.keys('/co/v1/groups/billing/parked/');
  const { value } = fake.json(key) as { value?: string };
  return value && Buffer.from(value, 'base64').toString();
}

describe('the value of a parked event', () => {
  const order = { count: 1 };
  const paid = { card: { number: '4711' } };

  it.each([
    ['a class', { type: Order }],
    ['a schema', { schema: z.object({ count: z.number() }) }],
  ])('is stored if the handler has %s', async (_, handled) => {
    expect(await parkedValue(order, handled)).toBe('{"count":1}');
  });

  it('is not stored if the class of the handler has a nested property with @Secret()', async () => {
    expect(await parkedValue(paid, { type: PaidOrder })).toBe(undefined);
  });

  it.each<[string, object, EtcdTriggerOptions['configs']]>([
    ['is secret', order, [{ prefix: '/orders/', type: Order, secret: true }]],
    ['has a class with @Secret()', paid, [{ key: '/orders/a', type: PaidOrder }]],
    ['has them as layers and a class with @Secret()', paid, [{ key: '/shop', type: PaidOrder, layers: ['/orders/a'] }]],
    ['is of a longer prefix and has a class with @Secret()', order, [{ prefix: '/orders/a', type: PaidOrder }]],
  ])('is not stored if a definition of its keys %s', async (_, document, configs) => {
    expect(await parkedValue(document, { schema: z.object({}) }, configs)).toBe(undefined);
  });
});
