import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { DynamicModule, INestApplication, Type } from '@nestjs/common';
import { ScheduleModule, SchedulerRegistry } from '@nestjs/schedule';
import { Test } from '@nestjs/testing';
import { Etcd3 } from 'etcd3';
import { EtcdTriggerModule, type EtcdTriggerOptions } from 'nestjs-etcd-trigger';
import { EtcdTestCluster, FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { Deferred } from '../../lib/timing/deferred.js';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';

const DOCUMENT = 'docs/pods.md';
const FOLDER = resolve('test/docs/.snippets/pods');

describe('every snippet of docs/pods.md', () => {
  beforeAll(() => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
  });

  const load = async (file: string, name: string): Promise<Type> =>
    ((await import(join(FOLDER, file))) as Record<string, Type>)[name] as Type;

  it('starts a cron job once, at the time of its zone', async () => {
    const fake = new FakeCluster();
    const Invoices = await load('invoices.js', 'Invoices');
    const { pass } = (await import(join(FOLDER, 'test-night.js'))) as {
      pass: (fake: FakeCluster, hours: number) => Promise<void>;
    };
    const start = async () => {
      const app = await startOn(fake, [Invoices]);
      await settled(fake);
      return app;
    };
    const apps = [await start(), await start()];
    await pass(fake, 1);
    expect(fake.keys('/invoices/')).toEqual([]);
    await pass(fake, 1);
    expect(fake.keys('/invoices/')).toEqual(['/invoices/2000-01-01']);

    for (const app of apps) await app.close();
    fake.advance(3 * 86_400_000);
    const app = await start();
    await app.close();
    expect(fake.keys('/invoices/')).toEqual([1, 2, 3, 4].map((day) => `/invoices/2000-01-0${day}`));
  });

  it('writes one invoice for each order, and keeps the orders that fail', async () => {
    const fake = new FakeCluster();
    const BillingModule = await load('billing.module.js', 'BillingModule');
    const ParkedOrders = await load('parked-orders.js', 'ParkedOrders');
    fake.put('/orders/1', { customer: 'a', cents: 500 });
    const apps = [await startOn(fake, [ParkedOrders], [BillingModule]), await startOn(fake, [], [BillingModule])];
    await settled(fake);
    fake.put('/orders/2', { customer: 'b', cents: 700 });
    await settled(fake);
    expect(fake.keys('/invoices/').map((key) => [key, fake.json(key), fake.get(key)?.version])).toEqual([
      ['/invoices/orders/1', { order: '/orders/1', cents: 500 }, 1],
      ['/invoices/orders/2', { order: '/orders/2', cents: 700 }, 1],
    ]);
    expect(await apps[0]?.get<{ retry(): Promise<string[]> }>(ParkedOrders).retry()).toEqual([]);
    for (const app of apps) await app.close();
  });

  it('takes articles under a lock, one caller at a time, and lists the shops', async () => {
    const Stock = await load('stock.js', 'Stock');
    const Shops = await load('shop.js', 'Shops');
    const fake = new FakeCluster();
    fake.put('/stock/tea', '10');
    const app = await startOn(fake, [Stock, Shops]);
    const stock = app.get<{ take(article: string): Promise<number> }>(Stock);
    const shops = app.get<{
      readonly all: { readonly value: readonly object[] };
      join(host: string, port: number): Promise<void>;
    }>(Shops);

    expect(await Promise.all([1, 2, 3].map(() => stock.take('tea')))).toEqual([9, 8, 7]);
    await shops.join('10.0.0.1', 80);
    await eventually(() => shops.all.value.length === 1);
    expect(shops.all.value).toEqual([{ host: '10.0.0.1', port: 80 }]);
    await app.close();
    expect(fake.keys('/coordination/')).toEqual([]);
  });

  it('counts the inventory under a lock that is released at the end of the block', async () => {
    const fake = new FakeCluster();
    const Inventory = await load('inventory.js', 'Inventory');
    const apps = [await startOn(fake, [Inventory]), await startOn(fake, [Inventory])];
    const store = (app: INestApplication, count: number) =>
      app.get<{ store(counts: object): Promise<void> }>(Inventory).store({ milk: count, tea: count });

    await Promise.all(apps.map(store));
    const counts = ['milk', 'tea'].map((article) => fake.text(`/stock/${article}`));
    expect(new Set(counts).size).toBe(1);
    expect(fake.keys('/coordination/shop/v1/locks/')).toEqual([]);
    for (const app of apps) await app.close();
  });

  it('elects a leader that writes with its fence, and hands over', async () => {
    const fake = new FakeCluster();
    const Report = await load('report.js', 'Report');
    const ReportStatus = await load('report-status.js', 'ReportStatus');
    const app = await startOn(fake, [Report, ReportStatus]);
    const status = app.get<{ line: string; handOver(): Promise<void> }>(ReportStatus);

    await eventually(() => fake.text('/report') === 'number 1');
    expect(status.line).toBe('this instance');
    await status.handOver();
    await eventually(() => status.line === 'nobody');
    fake.advance(15_000);
    await eventually(() => status.line === 'this instance');
    await app.close();
    expect(fake.keys()).toEqual(['/report']);
  });

  it('follows the orders of the leader only, and does not miss any in between', async () => {
    const fake = new FakeCluster({ '/orders/1': 'new' });
    const Orders = await load('orders.js', 'Orders');
    const apps = [await startOn(fake, [Orders]), await startOn(fake, [Orders])];
    await eventually(() => fake.keys('/confirmed/').length === 1);
    await apps[0]?.close();
    fake.put('/orders/2', 'new');
    await eventually(() => fake.keys('/confirmed/').length === 2);
    await apps[1]?.close();
    fake.put('/orders/3', 'new');
    await startOn(fake, [Orders]).then((app) => apps.push(app));
    await eventually(() => fake.keys('/confirmed/').length === 3);
    await apps[2]?.close();
    expect(fake.keys('/confirmed/')).toEqual([1, 2, 3].map((order) => `/confirmed/orders/${order}`));
  });

  it('starts each tick once with @ClusterCron, beside @nestjs/schedule, which starts it on every instance', async () => {
    const fake = new FakeCluster();
    const MailsBefore = await load('mails.before.js', 'MailsBefore');
    const MailsAfter = await load('mails.after.js', 'MailsAfter');
    const start = () => startOn(fake, [MailsBefore, MailsAfter], [ScheduleModule.forRoot()]);
    const apps = [await start(), await start()];
    await settled(fake);
    fake.advance(2 * 3_600_000);
    await settled(fake);
    for (const app of apps) await app.get(SchedulerRegistry).getCronJob('mails').fireOnTick();

    const sent = (type: Type): number => apps.reduce((sum, app) => sum + app.get<{ sent: number }>(type).sent, 0);
    expect([sent(MailsBefore), sent(MailsAfter)]).toEqual([2, 1]);
    for (const app of apps) await app.close();
  });

  it('replaces redlock', async () => {
    const [, code = ''] = /^```js title="stock.before.js"\n([\s\S]*?)^```$/m.exec(readFileSync(DOCUMENT, 'utf8')) ?? [];
    writeFileSync(join(FOLDER, 'stock.before.js'), code);
    const StockBefore = (await load('stock.before.js', 'StockBefore')) as Type<{
      take(article: string): Promise<number>;
    }>;
    const redis = new Map([['stock:tea', '10']]);
    let lock = Promise.resolve();
    const redlock = {
      acquire: async () => {
        const before = lock;
        const held = new Deferred();
        lock = held.promise;
        await before;
        return { release: held.resolve };
      },
    };
    const client = {
      get: (key: string) => Promise.resolve(redis.get(key)),
      set: (key: string, value: string) => Promise.resolve(redis.set(key, value)),
    };
    const stock = new StockBefore(redlock, client);
    expect(await Promise.all([1, 2, 3].map(() => stock.take('tea')))).toEqual([9, 8, 7]);
  });

  it("replaces etcd3's Lock and Election", async () => {
    interface Example {
      readonly terms: number;
      take(article: string): Promise<number>;
    }
    await using etcd = await EtcdTestCluster.start();
    const client = new Etcd3({ hosts: etcd.hosts });
    await client.put('/stock/tea').value('10');
    const Before = (await load('etcd3.before.js', 'Etcd3Before')) as Type<
      Example & { campaign(): Promise<() => Promise<void>> }
    >;
    const before = new Before(client);
    const results = await Promise.allSettled([before.take('tea'), before.take('tea')]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    const resign = await before.campaign();
    expect(before.terms).toBe(1);
    await resign();

    const After = (await load('etcd3.after.js', 'Etcd3After')) as Type<Example & { resign(): Promise<void> }>;
    const app = await startOn({ hosts: etcd.hosts }, [After]);
    const after = app.get(After);
    expect((await Promise.all([1, 2, 3].map(() => after.take('tea')))).sort()).toEqual([6, 7, 8]);
    await eventually(() => after.terms === 1);
    await after.resign();
    await app.close();
    client.close();
  });
});

async function startOn(
  client: EtcdTriggerOptions['client'],
  providers: Type[],
  imports: (DynamicModule | Type)[] = [],
): Promise<INestApplication> {
  const coordination = { prefix: '/coordination/shop' };
  const module = await Test.createTestingModule({
    imports: [EtcdTriggerModule.forRoot({ client, logger: quiet, coordination }), ...imports],
    providers,
  }).compile();
  return module.createNestApplication({ logger: false }).init();
}
