import { readFileSync } from 'node:fs';
import { Injectable, type Type } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { context, metrics, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { PrometheusExporter, PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { IsInt } from 'class-validator';
import {
  ClusterCron,
  ClusterLocks,
  type Election,
  InjectElection,
  LockLostError,
  OnElected,
  RevisionConflictError,
  StoreService,
  WatchKey,
  type WatchEvent,
} from 'nestjs-etcd-trigger';
import { EtcdTriggerTestingModule, FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { format } from 'prettier';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DefinitionFeed } from '../../lib/store/cache/definition-feed.js';
import { INSTRUMENTS } from '../../lib/telemetry/instruments.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';
import { instrumentsTable } from './instruments-table.js';

const SECRET = 4_711_471_147;

class LimitConfig {
  @IsInt() perMinute!: number;
}

@Injectable()
class Orders {
  activeSpanId: string | undefined;

  @WatchKey('/orders/', { retry: { attempts: 2, backoff: { initialMs: 1 } } })
  async onOrder({ key }: WatchEvent): Promise<void> {
    this.activeSpanId = trace.getActiveSpan()?.spanContext().spanId;
    await Promise.resolve();
    if (key === '/orders/bad') throw new TypeError(`the total is ${SECRET}`);
  }
}

@Injectable()
class Leader {
  @OnElected('orders')
  run(): void {
    throw new TypeError(`the total is ${SECRET}`);
  }
}

@Injectable()
class Candidate {
  constructor(@InjectElection('orders') readonly election: Election) {}
}

/** The counts of lost claims in a scrape. */
const lostIn = (text: string): Record<'election' | 'lock', number> => {
  const of = (claim: string): number =>
    Number(new RegExp(`^etcd_trigger_claims_lost.*etcd_trigger_claim="${claim}".* (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
  return { election: of('election'), lock: of('lock') };
};

@Injectable()
class Job {
  end: Promise<unknown> | undefined;

  @ClusterCron('* * * * *', { name: 'report' })
  async run(): Promise<void> {
    await this.end;
    throw new TypeError(`the total is ${SECRET}`);
  }
}

@Injectable()
class Invoices {
  @WatchKey('/invoices/', { group: { name: 'billing', partitions: 2 }, onExhausted: 'park' })
  on(): void {
    throw new TypeError(`the total is ${SECRET}`);
  }
}

describe('telemetry with a registered OpenTelemetry SDK', () => {
  const spans = new InMemorySpanExporter();
  const exporter = new PrometheusExporter({ preventServerStart: true });
  let app: TestingModule;
  let etcd: FakeCluster;

  beforeAll(() => {
    metrics.setGlobalMeterProvider(new MeterProvider({ readers: [exporter] }));
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
    context.setGlobalContextManager(new AsyncLocalStorageContextManager());
  });
  beforeEach(async () => {
    spans.reset();
    app = await Test.createTestingModule({
      imports: [
        EtcdTriggerTestingModule.forRoot({
          configs: [{ key: '/app/limit', type: LimitConfig }],
          initial: { '/app/limit': { perMinute: SECRET } },
          logger: quiet,
        }),
      ],
      providers: [Orders],
    }).compile();
    await app.init();
    etcd = app.get(FakeCluster);
  });
  afterEach(async () => {
    await app.close();
  });
  afterAll(() => {
    metrics.disable();
    trace.disable();
    context.disable();
  });

  const scrape = async (): Promise<string> => {
    const { resourceMetrics } = await exporter.collect();
    return new PrometheusSerializer().serialize(resourceMetrics);
  };
  /** Causes every kind of measurement at least once. */
  const exercise = async (): Promise<void> => {
    const store = app.get(StoreService);
    store.changes$('/app/').subscribe(() => {
      throw new TypeError(`the limit is ${SECRET}`);
    });
    etcd.put('/orders/1', 'x');
    etcd.put('/orders/bad', String(SECRET));
    await eventually(
      () => spans.getFinishedSpans().filter(({ status }) => status.code === SpanStatusCode.ERROR).length >= 2,
    );
    await store.put('/app/limit', { perMinute: SECRET + 1 });
    await expect(store.put('/app/limit', { perMinute: 1 }, { ifAbsent: true })).rejects.toThrow(RevisionConflictError);
    const deliver = vi.spyOn(DefinitionFeed.prototype, 'deliver').mockImplementationOnce(() => {
      throw new RangeError(`the limit is ${SECRET}`);
    });
    etcd.put('/app/limit', { perMinute: `${SECRET}` });
    await settled(app);
    expect(store.entry('/app/limit', LimitConfig).state).toBe('invalid');
    deliver.mockRestore();
    etcd.disconnect();
    etcd.put('/orders/2', 'y');
    etcd.compact();
    etcd.reconnect();
    await settled(app);
  };

  const startCoordination = async (providers: Type[] = []): Promise<TestingModule> => {
    const module = await Test.createTestingModule({
      imports: [EtcdTriggerTestingModule.forRoot({ coordination: { prefix: '/coordination' }, logger: quiet })],
      providers,
    }).compile();
    return module.init();
  };

  /** Leads an election once, and fails. */
  const lead = async (): Promise<void> => {
    const module = await startCoordination([Leader]);
    await eventually(async () => (await scrape()).includes('etcd_trigger_election_failures'));
    await module.close();
  };

  /** Starts a tick of a cron job that makes up for another one, skips a third one, and fails. */
  const tick = async (): Promise<void> => {
    const module = await startCoordination([Job]);
    const fake = module.get(FakeCluster);
    await settled(module);
    let end = (): void => undefined;
    module.get(Job).end = new Promise<void>((resolve) => (end = resolve));
    fake.advance(120_000);
    await eventually(async () => (await scrape()).includes('etcd_trigger_cron_ticks'));
    fake.advance(60_000);
    await eventually(async () => (await scrape()).includes('etcd_trigger_cron_skipped'));
    end();
    await settled(module);
    await module.close();
  };

  /** Parks an event of a handler group, and stores its cursor. */
  const park = async (): Promise<TestingModule> => {
    const module = await startCoordination([Invoices]);
    const fake = module.get(FakeCluster);
    fake.put('/invoices/1', String(SECRET));
    await settled(module);
    fake.advance(1_000);
    await eventually(async () => (await scrape()).includes('etcd_trigger_group_checkpoint_duration'));
    return module;
  };

  /** Acquires a lock and loses it. */
  const loseLock = async (): Promise<void> => {
    const module = await startCoordination();
    const fake = module.get(FakeCluster);
    const lost = module.get(ClusterLocks).run('job', async ({ signal }) => {
      for (const key of fake.keys('/coordination/v1/locks/')) fake.delete(key);
      await eventually(() => signal.aborted);
    });
    await expect(lost).rejects.toThrow(LockLostError);
    await module.close();
  };

  it('a scrape contains every instrument of the guide, and no value', async () => {
    await exercise();
    await lead();
    await tick();
    await loseLock();
    const group = await park();
    const text = await scrape();
    await group.close();

    for (const { name } of Object.values(INSTRUMENTS)) expect(text).toContain(`\n${name.replaceAll('.', '_')}`);
    expect(text).toMatch(/etcd_trigger_listener_failures.*etcd_trigger_listener="changes\$",error_type="TypeError"/);
    expect(text).toMatch(/etcd_trigger_delivery_failures.*etcd_trigger_target="key \\"\/app\/limit\\"".* 1\n/);
    expect(text).toMatch(/etcd_trigger_resyncs.*etcd_trigger_reason="compacted".* 1\n/);
    expect(text).toMatch(/etcd_trigger_handler_given_up.*etcd_trigger_handler="Orders.onOrder".* 1\n/);
    expect(text).toMatch(
      /etcd_trigger_election_failures.*etcd_trigger_election="orders".*error_type="TypeError".* 1\n/,
    );
    for (const name of ['ticks', 'missed', 'skipped', 'failures']) {
      expect(text).toMatch(new RegExp(`etcd_trigger_cron_${name}.*etcd_trigger_job="report".* 1\\n`));
    }
    expect(text).toMatch(/etcd_trigger_group_parked.*etcd_trigger_group="billing".* 1\n/);
    expect(text).toMatch(/etcd_trigger_group_partitions.*etcd_trigger_group="billing".* 2\n/);
    expect(text).toMatch(/etcd_trigger_claims_held.*etcd_trigger_claim="group".* 2\n/);
    expect(text).toMatch(/etcd_trigger_claims_lost.*etcd_trigger_claim="lock".* 1\n/);
    expect(text).toMatch(/etcd_trigger_lock_wait_duration_count.*etcd_trigger_outcome="acquired".* 1\n/);
    expect(text).toMatch(/etcd_trigger_store_invalid.* 1\n/);
    expect(text).toMatch(/db_client_operation_duration_count.*etcd_trigger_outcome="conflict".* 1\n/);
    expect(text).not.toContain(String(SECRET));
  });

  it('the guide lists every instrument with its unit', async () => {
    const guide = readFileSync('docs/observability.md', 'utf8');
    const table = /<!-- instruments -->\n([\s\S]*?)\n<!-- \/instruments -->/.exec(guide)?.[1]?.trim();

    expect(table).toBe((await format(instrumentsTable(), { parser: 'markdown' })).trim());
  });

  it('a handler call is an active span, and a failed call has the class of its error as error.type', async () => {
    await exercise();
    const calls = spans.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CONSUMER);
    const [good, first, second] = calls;

    expect(good).toMatchObject({
      name: 'process prefix "/orders/"',
      attributes: { 'etcd_trigger.key': '/orders/1', 'etcd_trigger.event': 'put', 'etcd_trigger.attempt': 1 },
    });
    expect([first?.attributes['error.type'], second?.attributes['etcd_trigger.attempt']]).toEqual(['TypeError', 2]);
    expect(calls.map((span) => span.spanContext().spanId)).toContain(app.get(Orders).activeSpanId);
  });

  const spanOf = (name: string) => {
    const span = spans.getFinishedSpans().find((each) => each.name === name);
    if (!span) throw new Error(`there is no span "${name}"`);
    return span;
  };

  it('a term is a span until its calls have ended, with the class of an error', async () => {
    await lead();
    const { attributes, status } = spanOf('lead orders');

    expect(attributes).toMatchObject({ 'etcd_trigger.election': 'orders', 'error.type': 'TypeError' });
    expect([attributes['etcd_trigger.token'], status.code]).toEqual([expect.any(Number), SpanStatusCode.ERROR]);
  });

  it('a tick is a span with its time and the ticks that it makes up for', async () => {
    await tick();

    expect(spanOf('tick report').attributes).toMatchObject({
      'etcd_trigger.job': 'report',
      'etcd_trigger.scheduled_at': '2000-01-01T00:02:00.000Z',
      'etcd_trigger.missed': 1,
      'error.type': 'TypeError',
    });
  });

  it('a wait for a lock is a span, and the time in which it is held another one, which is active in run()', async () => {
    const module = await startCoordination();
    const locks = module.get(ClusterLocks);
    let active: string | undefined;
    await locks.run('stock', () => {
      active = trace.getActiveSpan()?.spanContext().spanId;
    });
    const [wait, hold] = [spanOf('wait for lock'), spanOf('hold lock')];
    expect(wait.attributes).toMatchObject({ 'etcd_trigger.lock': 'stock', 'etcd_trigger.outcome': 'acquired' });
    expect(hold.attributes).toMatchObject({ 'etcd_trigger.lock': 'stock' });
    expect([hold.spanContext().spanId, hold.status.code]).toEqual([active, SpanStatusCode.UNSET]);

    spans.reset();
    await using held = await locks.acquire('stock');
    expect(held.fence.held).toBe(true);
    expect(await locks.tryAcquire('stock')).toBe(undefined);
    await expect(locks.acquire('stock', { signal: AbortSignal.timeout(1) })).rejects.toThrow(/timeout/);
    const outcomes = spans.getFinishedSpans().filter(({ name }) => name === 'wait for lock');
    expect(outcomes.map(({ attributes }) => attributes['etcd_trigger.outcome'])).toEqual([
      'acquired',
      'busy',
      'failed',
    ]);
    await held.release();
    await module.close();
  });

  it('no metric names the keys that waits for a lock follow', async () => {
    const module = await startCoordination();
    const locks = module.get(ClusterLocks);
    const contend = () => Promise.all([1, 2, 3, 4].map((call) => locks.run(`stock-${call % 2}`, () => undefined)));
    await contend();
    const series = async () => (await scrape()).split('\n').map((line) => line.replace(/ [^ ]+$/, ''));
    const before = await series();
    for (let round = 0; round < 5; round += 1) await contend();

    expect(await series()).toEqual(before);
    expect(before.filter((line) => line.includes('/coordination/v1/'))).toEqual([]);
    expect(before.join()).toContain('etcd_trigger_target="prefix \\"/coordination/\\""');
    await module.close();
  });

  it('a lost lock is a failed span, and a lost claim is counted once', async () => {
    const before = lostIn(await scrape());
    await loseLock();
    expect(spanOf('hold lock').attributes['error.type']).toBe('ETCD_LOCK_LOST');

    const module = await startCoordination([Candidate]);
    const { election } = module.get(Candidate);
    await eventually(() => election.isLeader);
    expect(await scrape()).toMatch(/etcd_trigger_claims_held.*etcd_trigger_claim="election".* 1\n/);
    const { term } = election;
    module.get(FakeCluster).delete('/coordination/v1/elections/orders');
    await eventually(() => term?.signal.aborted === true && election.isLeader);
    await module.close();
    expect(spanOf('lead orders').status.code).toBe(SpanStatusCode.UNSET);
    const after = lostIn(await scrape());
    expect([after.lock - before.lock, after.election - before.election]).toEqual([1, 1]);
  });

  it('a write is a span with its outcome, and no span contains a value', async () => {
    await exercise();
    const writes = spans.getFinishedSpans().filter(({ kind }) => kind === SpanKind.CLIENT);

    expect(writes.map(({ name, attributes }) => [name, attributes['etcd_trigger.outcome']])).toEqual([
      ['put etcd', 'applied'],
      ['put etcd', 'conflict'],
    ]);
    const all = spans
      .getFinishedSpans()
      .map(({ name, attributes, events, status }) => ({ name, attributes, events, status }));
    expect(JSON.stringify(all)).not.toContain(String(SECRET));
  });
});
