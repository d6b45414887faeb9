import { Injectable } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Test, type TestingModule } from '@nestjs/testing';
import { IsInt, ValidateBy } from 'class-validator';
import { ClusterCron, EtcdTriggerInspector, StoreService, WatchKey } from 'nestjs-etcd-trigger';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { EtcdTriggerTestingModule, FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigCache } from '../../lib/store/cache/config-cache.js';
import { DefinitionFeed } from '../../lib/store/cache/definition-feed.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';

class LimitConfig {
  @IsInt() perMinute!: number;
}

class LaterConfig {
  @ValidateBy({ name: 'later', async: true, validator: { validate: () => Promise.resolve(true) } })
  id!: string;
}

@Injectable()
class Orders {
  @WatchKey('/orders/', { onExhausted: 'halt' })
  onOrder(): void {
    throw new TypeError('no');
  }
}

@Injectable()
class Job {
  @ClusterCron('* * * * *', { name: 'report' })
  run(): void {
    // Never called.
  }
}

describe('the health of an application', () => {
  let app: TestingModule;
  let etcd: FakeCluster;
  let health: EtcdTriggerHealthIndicator;

  beforeEach(async () => {
    app = await Test.createTestingModule({
      imports: [
        TerminusModule,
        EtcdTriggerTestingModule.forRoot({
          configs: [
            { key: '/app/limit', type: LimitConfig, required: true, onDelete: 'remove' },
            { prefix: '/app/tenants/', type: LimitConfig },
            { prefix: '/app/later/', type: LaterConfig },
          ],
          initial: { '/app/limit': { perMinute: 1 }, '/app/tenants/a': { perMinute: 4_711 } },
          logger: quiet,
        }),
      ],
      providers: [Orders, EtcdTriggerHealthIndicator],
    }).compile();
    await app.init();
    etcd = app.get(FakeCluster);
    health = app.get(EtcdTriggerHealthIndicator);
    await settled(app);
  });
  afterEach(async () => {
    await app.close();
  });

  const ready = () => health.ready().etcd;
  const reasons = () => (ready() as { clusters?: { default?: { reasons?: string[] } } }).clusters?.default?.reasons;

  it('is up while every required value is valid and every target is followed', () => {
    expect(health.live()).toEqual({ etcd: { status: 'up' } });
    expect(ready()).toEqual({ status: 'up', state: 'up', clusters: { default: { state: 'up' } } });
  });

  it('is degraded while a value is invalid, a watch is interrupted, or a handler is halted', async () => {
    etcd.put('/app/tenants/a', { perMinute: 'secret' });
    etcd.put('/orders/1', 'x');
    await eventually(() => reasons()?.length === 2);
    expect(ready()).toMatchObject({ status: 'up', state: 'degraded' });
    expect(reasons()).toEqual([
      'the value of "/app/tenants/a" in etcd is invalid',
      'Orders.onOrder (prefix "/orders/") is halted',
    ]);

    etcd.disconnect();
    await eventually(() => reasons()?.includes('the watch of key "/app/limit" is interrupted') === true);
    expect(health.live()).toEqual({ etcd: { status: 'up' } });
    expect(ready()).toMatchObject({ status: 'up', state: 'degraded' });
  });

  it('is degraded while the delivery itself fails', async () => {
    const deliver = vi.spyOn(DefinitionFeed.prototype, 'deliver').mockImplementation(() => {
      throw new RangeError();
    });
    etcd.put('/app/limit', { perMinute: 2 });

    await eventually(
      () => reasons()?.includes('the delivery of key "/app/limit" has failed unexpectedly and is retried') === true,
    );
    deliver.mockRestore();
    await eventually(() => reasons() === undefined);

    expect(app.get(StoreService).get('/app/limit', LimitConfig)).toEqual({ perMinute: 2 });
  });

  it('is degraded, and the store stale, while the delivery fails after asynchronous validators', async () => {
    const apply = vi.spyOn(ConfigCache.prototype, 'apply').mockImplementation(() => {
      throw new RangeError();
    });
    const store = app.get(StoreService);
    const failing = (): number[] =>
      app
        .get(EtcdTriggerInspector)
        .describe()
        .clusters[0]?.targets.map((target) => target.failing) ?? [];
    etcd.put('/app/later/a', { id: 'x' });

    await eventually(
      () => reasons()?.includes('the delivery of prefix "/app/later/" has failed unexpectedly and is retried') === true,
    );
    expect([ready().status, ready().state, store.status]).toEqual(['up', 'degraded', 'stale']);
    expect(failing()).toEqual([0, 0, 1, 0]);
    await eventually(() => apply.mock.calls.length > 3);
    expect(store.get('/app/later/a', LaterConfig)).toBeUndefined();
    apply.mockRestore();
    await eventually(() => reasons() === undefined);

    expect([ready().state, store.status]).toEqual(['up', 'ready']);
    expect(failing()).toEqual([0, 0, 0, 0]);
    expect(store.get('/app/later/a', LaterConfig)).toEqual({ id: 'x' });
  });

  it('is down while a required key has no value, and after the module is closed', async () => {
    etcd.delete('/app/limit');
    await settled(app);
    expect(ready()).toMatchObject({ status: 'down' });
    expect(reasons()).toEqual(['key "/app/limit" is required but has no valid value']);

    await app.close();
    expect(health.live()).toEqual({ etcd: { status: 'down', reasons: ['cluster "default" is closed'] } });
  });

  it('is described without values', () => {
    const described = app.get(EtcdTriggerInspector).describe();

    expect(described.clusters).toMatchObject([
      {
        name: 'default',
        targets: [
          { target: 'key "/app/limit"', state: 'following', keys: 1 },
          { target: 'prefix "/app/tenants/"', state: 'following', keys: 1 },
          { target: 'prefix "/app/later/"', state: 'following', keys: 0 },
          { target: 'prefix "/orders/"', state: 'following', keys: 0, listeners: 1 },
        ],
        handlers: [{ name: 'Orders.onOrder', target: 'prefix "/orders/"', state: 'following', pending: 0 }],
        store: {
          status: 'ready',
          definitions: [
            { target: 'key "/app/limit"', type: 'LimitConfig', required: true },
            {
              target: 'prefix "/app/tenants/"',
              keys: [{ key: '/app/tenants/a', state: 'valid', value: 'masked', source: 'etcd', revision: 2 }],
            },
            { target: 'prefix "/app/later/"', keys: [] },
          ],
        },
      },
    ]);
    expect(JSON.stringify(described)).not.toContain('4711');
  });

  it.each([
    [{ v: 1, scheduledAt: '2001-01-01T00:00:00Z' }, 'the clock is behind the last tick of the cron job "report"'],
    [{ v: 2 }, 'the last tick of the cron job "report" cannot be read'],
  ])('is degraded while a cron job waits because of its last tick: %j', async (last, reason) => {
    const module = await Test.createTestingModule({
      imports: [
        TerminusModule,
        EtcdTriggerTestingModule.forRoot({
          coordination: { prefix: '/co' },
          initial: { '/co/v1/crons/report/last': last },
          logger: quiet,
        }),
      ],
      providers: [Job, EtcdTriggerHealthIndicator],
    }).compile();
    await module.init();
    const state = () => module.get(EtcdTriggerHealthIndicator).ready().etcd;
    await eventually(() => JSON.stringify(state()).includes('cron job'));

    expect(state()).toEqual({
      status: 'up',
      state: 'degraded',
      clusters: { default: { state: 'degraded', reasons: [reason] } },
    });
    await module.close();
  });
});
