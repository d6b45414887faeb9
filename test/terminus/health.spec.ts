import { Injectable } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { Test, type TestingModule } from '@nestjs/testing';
import { IsInt } from 'class-validator';
import { EtcdTriggerInspector, StoreService, WatchKey } from 'nestjs-etcd-trigger';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { EtcdTriggerTestingModule, FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { DefinitionFeed } from '../../lib/store/cache/definition-feed.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';

class LimitConfig {
  @IsInt() perMinute!: number;
}

@Injectable()
class Orders {
  @WatchKey('/orders/', { onExhausted: 'halt' })
  onOrder(): void {
    throw new TypeError('no');
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
    await eventually(() => reasons()?.includes('the watch of key "/app/limit" is interrupted'));
    expect(health.live()).toEqual({ etcd: { status: 'up' } });
    expect(ready()).toMatchObject({ status: 'up', state: 'degraded' });
  });

  it('is degraded while the delivery itself fails', async () => {
    const deliver = vi.spyOn(DefinitionFeed.prototype, 'deliver').mockImplementation(() => {
      throw new RangeError();
    });
    etcd.put('/app/limit', { perMinute: 2 });

    await eventually(() =>
      reasons()?.includes('the delivery of key "/app/limit" has failed unexpectedly and is retried'),
    );
    deliver.mockRestore();
    await eventually(() => reasons() === undefined);

    expect(app.get(StoreService).get('/app/limit', LimitConfig)).toEqual({ perMinute: 2 });
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
          ],
        },
      },
    ]);
    expect(JSON.stringify(described)).not.toContain('4711');
  });
});
