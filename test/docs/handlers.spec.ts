import { join, resolve } from 'node:path';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { Etcd3 } from 'etcd3';
import { WatcherService } from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { eventually } from '../support/eventually.js';

const DOCUMENT = 'docs/handlers.md';
const FOLDER = resolve('test/docs/.snippets/handlers');

describe('docs/handlers.md', () => {
  let etcd: EtcdTestCluster;
  let client: Etcd3;
  let app: INestApplicationContext;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    client = new Etcd3({ hosts: etcd.hosts });
    process.env.ETCD_HOSTS = etcd.hosts.join();
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
    const { bootstrap } = (await import(join(FOLDER, 'main.js'))) as {
      readonly bootstrap: () => Promise<INestApplicationContext>;
    };
    app = await bootstrap();
  });
  afterAll(async () => {
    delete process.env.ETCD_HOSTS;
    await app.close();
    client.close();
    await etcd.stop();
  });

  const get = async <T>(file: string, name: string): Promise<T> => {
    const module = (await import(join(FOLDER, file))) as Record<string, Type<T>>;
    return app.get<T>(module[name] as Type<T>);
  };

  it('retries, halts and resumes a watch', async () => {
    const { Delivery } = (await import(join(FOLDER, 'delivery.js'))) as {
      readonly Delivery: new (watcher: WatcherService) => { show(print: (line: string) => void): Promise<void> };
    };
    const lines: string[] = [];
    await new Delivery(app.get(WatcherService)).show((line) => lines.push(line));

    await eventually(() => lines.length === 2);
    expect(lines).toEqual(['/mails/1 failed 3 times', '/mails/1 hello, attempt 1']);
  });

  it('handles typed values, patterns, batches and denied events', async () => {
    const seenBy = async (file: string, name: string) => (await get<{ readonly seen: string[] }>(file, name)).seen;
    await client.put('/orders/1').value('{"customer":"a","amount":2}');
    await client.put('/orders/1').value('{"customer":"a","amount":0}');
    await client.delete().key('/orders/1').exec();
    const orders = await seenBy('order.handlers.js', 'OrderHandlers');
    await eventually(() => orders.length === 2);
    expect(orders).toEqual(['live /orders/1 2 for a', 'live /orders/1 deleted']);

    await client.put('/tenants/a/limits').value('{"requests":1}');
    await client.put('/tenants/a/limits').value('{"requests":2}');
    const limits = await seenBy('limit.handlers.js', 'LimitHandlers');
    await eventually(() => limits.length === 2);
    expect(limits).toEqual(['a: - -> 1', 'a: 1 -> 2']);

    const put = (key: string) => ({ request_put: { key: Buffer.from(key), value: Buffer.from('x') } });
    await client.kv.txn({ success: [put('/accounts/a'), put('/accounts/b')] });
    const audit = await seenBy('audit.handlers.js', 'AuditHandlers');
    await eventually(() => audit.length === 1);
    expect(audit).toEqual(['/accounts/a and /accounts/b']);

    await client.put('/guarded/a/x').value('x');
    await client.put('/guarded/unknown/x').value('x');
    const guarded = await seenBy('guarded.handlers.js', 'GuardedHandlers');
    await eventually(() => guarded.length === 2);
    expect(guarded).toEqual(['/guarded/a/x', 'GuardedHandlers.onChange failed for /guarded/unknown/x, attempts: 1']);
  });

  it('lists, pauses and resumes handlers', async () => {
    const status = await get<{ lines: string[]; pause: (name: string) => void; resume: (name: string) => void }>(
      'handlers.status.js',
      'HandlersStatus',
    );
    status.pause('AuditHandlers');
    expect(status.lines).toContain('AuditHandlers.onTransaction "/accounts/" paused, 0 failed');
    status.resume('AuditHandlers.onTransaction');
    expect(status.lines).toContain('AuditHandlers.onTransaction "/accounts/" following, 0 failed');
  });

  it('attaches the handlers of a module that is loaded lazily', async () => {
    const loader = await get<{ load: () => Promise<{ readonly seen: string[] }> }>(
      'refunds.loader.js',
      'RefundsLoader',
    );
    await client.put('/refunds/1').value('10');
    const { seen } = await loader.load();

    await eventually(() => seen.length === 1);
    expect(seen).toEqual(['/refunds/1']);
  });
});
