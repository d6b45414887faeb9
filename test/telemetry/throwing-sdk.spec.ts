import { Injectable } from '@nestjs/common';
import { metrics, trace } from '@opentelemetry/api';
import {
  ClusterCron,
  ClusterLocks,
  EtcdTriggerInspector,
  OnElected,
  WatcherService,
  WatchKey,
  type WatchEvent,
} from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startApp } from '../support/start-app.js';

@Injectable()
class Everything {
  readonly seen: string[] = [];

  @WatchKey('/orders/')
  onOrder({ key }: WatchEvent): void {
    this.seen.push(key);
  }

  @OnElected('leader')
  lead(): void {
    this.seen.push('leads');
  }

  @ClusterCron('* * * * *', { name: 'tick' })
  tick(): void {
    this.seen.push('tick');
  }
}

const fail = (): never => {
  throw new TypeError('this SDK is broken');
};

describe('an application whose OpenTelemetry SDK throws', () => {
  const instrument = { add: fail, record: fail };
  beforeAll(() => {
    metrics.setGlobalMeterProvider({
      getMeter: () =>
        ({
          createCounter: () => instrument,
          createHistogram: () => instrument,
          createObservableGauge: () => ({}),
          addBatchObservableCallback: () => undefined,
          removeBatchObservableCallback: () => undefined,
        }) as never,
    });
    trace.setGlobalTracerProvider({ getTracer: () => ({ startSpan: fail, startActiveSpan: fail }) });
  });
  afterAll(() => {
    metrics.disable();
    trace.disable();
  });

  it('writes, handles events, leads, ticks, and releases its locks', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const etcd = new FakeCluster();
    const options = { hosts: '', client: etcd, coordination: { prefix: '/co' } };
    await using started = await startApp(options, { providers: [Everything] });
    const { app } = started;
    const locks = app.get(ClusterLocks);
    await settled(etcd);

    expect((await app.get(WatcherService).put('/orders/1', 'x')).revision).toBeGreaterThan(1);
    expect(await locks.run('stock', () => 'counted')).toBe('counted');
    await (await locks.acquire('stock')).release();
    etcd.advance(60_000);
    await settled(etcd);

    expect(etcd.keys('/co/v1/locks/')).toEqual([]);
    expect([...app.get(Everything).seen].sort()).toEqual(['/orders/1', 'leads', 'tick']);
    expect(app.get(EtcdTriggerInspector).describe().clusters[0]?.failing).toEqual([]);
    expect(warn.mock.calls.map(([warning]) => warning)).toEqual([
      expect.stringMatching(/^the telemetry of nestjs-etcd-trigger failed: TypeError at /),
    ]);
  });
});
