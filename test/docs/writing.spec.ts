import { join, resolve } from 'node:path';
import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { quiet } from '../support/quiet-logger.js';

const DOCUMENT = 'docs/writing.md';
const FOLDER = resolve('test/docs/writing/.snippets');

interface Quotas {
  use(tenant: string): Promise<void>;
  move(from: string, to: string): Promise<void>;
  raise(tenant: string, limit: number): Promise<string>;
  used(tenant: string): Promise<number>;
}

describe('docs/writing.md', () => {
  let etcd: EtcdTestCluster;
  let client: Etcd3;
  let app: INestApplication;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    client = new Etcd3({ hosts: etcd.hosts });
    process.env.ETCD_HOSTS = etcd.hosts.join();
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
    const module = await Test.createTestingModule({ imports: [await load('app.module.js', 'AppModule')] })
      .setLogger(quiet)
      .compile();
    app = await module.createNestApplication().init();
  });
  afterAll(async () => {
    delete process.env.ETCD_HOSTS;
    await app.close();
    client.close();
    await etcd.stop();
  });

  const load = async <T>(file: string, name: string): Promise<Type<T>> =>
    ((await import(join(FOLDER, file))) as Record<string, Type<T>>)[name] as Type<T>;

  it('updates, moves and raises quotas', async () => {
    const quotas = app.get<Quotas>(await load('quotas.js', 'Quotas'));
    await Promise.all([quotas.use('a'), quotas.use('a'), quotas.use('a')]);
    expect(await quotas.used('a')).toBe(3);
    await quotas.move('a', 'b');
    expect(await client.getAll().prefix('/quotas/').strings()).toEqual({ '/quotas/b': '{"used":3,"limit":10}' });
    await client.put('/quotas/b').value('{"used":3,"limit":7}');
    expect(await quotas.raise('b', 20)).toMatch(/^(raised|another writer set it to 7)$/);
    expect(await quotas.used('b')).toBe(3);
    expect(await quotas.raise('b', 30)).toBe('raised');
  });

  it('registers the instance with a lease', async () => {
    const registration = app.get<{ instances: string[] }>(await load('registration.js', 'Registration'));
    const [found] = (await client.get('/instances/orders-1').exec()).kvs;

    expect(registration.instances).toEqual(['10.0.0.1:80']);
    expect(found?.lease).not.toBe('0');
  });

  it('undoes the last change', async () => {
    const undo = app.get<{ limits: (tenant: string) => Promise<number[]>; undo: (tenant: string) => Promise<void> }>(
      await load('undo.js', 'Undo'),
    );
    await client.put('/quotas/c').value('{"used":0,"limit":1}');
    await client.put('/quotas/c').value('{"used":0,"limit":2}');
    expect(await undo.limits('c')).toEqual([2, 1]);
    await undo.undo('c');
    expect(await client.get('/quotas/c').string()).toBe('{"used":0,"limit":1}');
  });
});
