import { join, resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { EtcdTriggerModule } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { beforeAll, describe, expect, it } from 'vitest';
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
      const module = await Test.createTestingModule({
        imports: [
          EtcdTriggerModule.forRoot({ client: fake, logger: quiet, coordination: { prefix: '/coordination/shop' } }),
        ],
        providers: [Invoices],
      }).compile();
      const app = await module.createNestApplication({ logger: false }).init();
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

  it('takes articles under a lock, one caller at a time, and lists the shops', async () => {
    const Stock = await load('stock.js', 'Stock');
    const Shops = await load('shop.js', 'Shops');
    const fake = new FakeCluster();
    fake.put('/stock/tea', '10');
    const module = await Test.createTestingModule({
      imports: [
        EtcdTriggerModule.forRoot({ client: fake, logger: quiet, coordination: { prefix: '/coordination/shop' } }),
      ],
      providers: [Stock, Shops],
    }).compile();
    const app = await module.createNestApplication({ logger: false }).init();
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

  it('elects a leader that writes with its fence, and hands over', async () => {
    const fake = new FakeCluster();
    const Report = await load('report.js', 'Report');
    const ReportStatus = await load('report-status.js', 'ReportStatus');
    const options = { client: fake, logger: quiet, coordination: { prefix: '/coordination/shop' } };
    const module = await Test.createTestingModule({
      imports: [EtcdTriggerModule.forRoot({ ...options, podName: 'pod-1' })],
      providers: [Report, ReportStatus],
    }).compile();
    const app = await module.createNestApplication({ logger: false }).init();
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
});
