import { Injectable } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Test, type TestingModule } from '@nestjs/testing';
import { IsInt, Validate, ValidatorConstraint, type ValidatorConstraintInterface } from 'class-validator';
import { ClusterCron, EtcdTriggerInspector, StoreService, WatchKey } from 'nestjs-etcd-trigger';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { EtcdTriggerTestingModule, FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ConfigCache } from '../../lib/store/cache/config-cache.js';
import { ChangeListener } from '../../lib/store/changes/change-listener.js';
import { DefinitionFeed } from '../../lib/store/cache/definition-feed.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';

class LimitConfig {
  @IsInt() perMinute!: number;
}

@ValidatorConstraint({ async: true })
class IsKnown implements ValidatorConstraintInterface {
  validate(): Promise<boolean> {
    return Promise.resolve(true);
  }
}

class Region {
  @Validate(IsKnown) name!: string;
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
            { key: '/app/region', type: Region },
          ],
          initial: {
            '/app/limit': { perMinute: 1 },
            '/app/region': { name: 'a' },
            '/app/tenants/a': { perMinute: 4_711 },
          },
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

  const hasReason = (reason: string): boolean => reasons()?.includes(reason) === true;

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
    await eventually(() => hasReason('the watch of key "/app/limit" is interrupted'));
    expect(health.live()).toEqual({ etcd: { status: 'up' } });
    expect(ready()).toMatchObject({ status: 'up', state: 'degraded' });
  });

  it('is degraded while the delivery itself fails', async () => {
    const deliver = vi.spyOn(DefinitionFeed.prototype, 'deliver').mockImplementation(() => {
      throw new RangeError();
    });
    etcd.put('/app/limit', { perMinute: 2 });

    await eventually(() =>
      hasReason('the delivery of key "/app/limit" has failed unexpectedly, and not succeeded since'),
    );
    deliver.mockRestore();
    await eventually(() => reasons() === undefined);

    expect(app.get(StoreService).get('/app/limit', LimitConfig)).toEqual({ perMinute: 2 });
  });

  it('is degraded while an update with asynchronous validators fails, until it is applied', async () => {
    const apply = vi.spyOn(ConfigCache.prototype, 'apply').mockImplementation(() => {
      throw new RangeError();
    });
    const { clusters: before } = app.get(EtcdTriggerInspector).describe();
    etcd.put('/app/region', { name: 'b' });

    await eventually(() =>
      hasReason('the delivery of key "/app/region" has failed unexpectedly, and not succeeded since'),
    );
    const store = app.get(StoreService);
    expect(store.status).toBe('stale');
    expect(store.get('/app/region', Region)).toEqual({ name: 'a' });
    const failing = app.get(EtcdTriggerInspector).describe().clusters[0];
    expect(failing).toMatchObject({ failing: ['key "/app/region"'], store: { status: 'stale' } });
    expect(failing?.targets.find(({ target }) => target === 'key "/app/region"')?.failing).toBe(1);
    apply.mockRestore();
    await eventually(() => reasons() === undefined);

    expect(before[0]).toMatchObject({ failing: [], store: { status: 'ready' } });
    expect(store.status).toBe('ready');
    expect(store.get('/app/region', Region)).toEqual({ name: 'b' });
  });

  it('is degraded while a listener inside of the library fails, until a notification succeeds', async () => {
    const receive = vi.spyOn(ChangeListener.prototype, 'receive').mockImplementation(() => {
      throw new RangeError();
    });
    const received: unknown[] = [];
    app.get(StoreService).onChange('/app/limit', (change) => received.push(change.value));
    etcd.put('/app/limit', { perMinute: 2 });

    await eventually(() =>
      hasReason('the delivery of listeners of the store has failed unexpectedly, and not succeeded since'),
    );
    receive.mockRestore();
    etcd.put('/app/limit', { perMinute: 3 });
    await eventually(() => reasons() === undefined);

    expect(received.at(-1)).toEqual({ perMinute: 3 });
  });

  it('is degraded while only a kept value makes up for a required one that was deleted', async () => {
    const configs = [
      { key: '/app/limit', type: LimitConfig, required: true, onDelete: 'keep-last' as const },
      { prefix: '/app/tenants/', type: LimitConfig, required: true, onDelete: 'keep-last' as const },
    ];
    const initial = {
      '/app/limit': { perMinute: 1 },
      '/app/tenants/a': { perMinute: 1 },
      '/app/tenants/b': { perMinute: 1 },
    };
    const module = await Test.createTestingModule({
      imports: [TerminusModule, EtcdTriggerTestingModule.forRoot({ configs, initial, logger: quiet })],
      providers: [EtcdTriggerHealthIndicator],
    }).compile();
    await module.init();
    const fake = module.get(FakeCluster);
    fake.delete('/app/limit');
    fake.delete('/app/tenants/a');
    await settled(module);

    expect(module.get(EtcdTriggerHealthIndicator).ready().etcd).toMatchObject({
      status: 'up',
      state: 'degraded',
      clusters: {
        default: {
          reasons: [
            'key "/app/limit" is required and was deleted in etcd: the last value stays, and no restart succeeds',
          ],
        },
      },
    });
    await module.close();
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
          { target: 'key "/app/region"', state: 'following', keys: 1 },
          { target: 'prefix "/app/tenants/"', state: 'following', keys: 1 },
          { target: 'prefix "/orders/"', state: 'following', keys: 0, listeners: 1 },
        ],
        handlers: [{ name: 'Orders.onOrder', target: 'prefix "/orders/"', state: 'following', pending: 0 }],
        store: {
          status: 'ready',
          definitions: [
            { target: 'key "/app/limit"', type: 'LimitConfig', required: true },
            { target: 'key "/app/region"', type: 'Region' },
            {
              target: 'prefix "/app/tenants/"',
              keys: [{ key: '/app/tenants/a', state: 'valid', value: 'masked', source: 'etcd', revision: 2 }],
            },
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
