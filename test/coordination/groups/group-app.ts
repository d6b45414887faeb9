import { Injectable, type Type } from '@nestjs/common';
import { type DeliveryContext, type EtcdTriggerOptions, type WatchEvent, WatchKey } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import type { CollectingLogger } from '../../support/collecting-logger.js';
import { startApp } from '../../support/start-app.js';

/** The calls of all instances, in their order. */
export class Journal {
  readonly lines: string[] = [];

  /** Returns the lines since the last call. */
  take(): string[] {
    return this.lines.splice(0);
  }
}

export type GroupBehaviour = (event: WatchEvent, context: DeliveryContext) => unknown;

/** Returns a class whose method has the group `billing` on `/orders/`. */
export function groupHandlerOf(
  behaviour: GroupBehaviour,
  options: Parameters<typeof WatchKey>[1] = { group: 'billing' },
  target: Parameters<typeof WatchKey>[0] = '/orders/',
): Type {
  @Injectable()
  class Orders {
    @WatchKey(target, options)
    on(event: WatchEvent, context: DeliveryContext): unknown {
      return behaviour(event, context);
    }
  }
  return Orders;
}

/** `/orders/a=1<0 initial`: key, value, previous value, origin; `again` if it may have been handled before. */
export const describeEvent = ({ key, value, previous, origin }: WatchEvent, { redelivered }: DeliveryContext): string =>
  [
    `${key}=${value?.toString() ?? ''}${previous ? `<${previous.toString()}` : ''}`,
    origin,
    ...(redelivered ? ['again'] : []),
  ].join(' ');

/** Starts an instance of the application on a fake. */
export async function startInstance(
  fake: FakeCluster,
  provider: Type,
  {
    pod = 'pod',
    logger,
    settle = true,
    ...options
  }: Partial<EtcdTriggerOptions> & {
    readonly pod?: string;
    readonly logger?: CollectingLogger;
    readonly settle?: boolean;
  } = {},
) {
  const started = await startApp(
    {
      hosts: '',
      client: fake,
      podName: pod,
      coordination: { prefix: '/co' },
      shutdown: { drainTimeoutMs: 300 },
      ...options,
      ...(logger && { logger }),
    },
    { providers: [provider] },
  );
  if (settle) await settled(fake);
  return started;
}

/** The stored cursor of a partition. */
export const cursorOf = (fake: FakeCluster, partition = 0): Record<string, unknown> | undefined =>
  fake.json(`/co/v1/groups/billing/cursors/${String(partition).padStart(3, '0')}`) as
    Record<string, unknown> | undefined;
