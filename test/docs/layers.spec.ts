import { join, resolve } from 'node:path';
import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { quiet } from '../support/quiet-logger.js';

const GUIDE = 'docs/layers.md';
const FOLDER = resolve('test/docs/.snippets/layers');

const BASE = { host: 'db-1', pool: { max: 20, idleMs: 1000 }, replicas: ['db-2', 'db-3'] };
const PRODUCTION = { host: 'db-prod', pool: { max: 50 }, replicas: ['db-prod-2'] };

interface Operations {
  replace(document: object): Promise<void>;
  grow(connections: number): Promise<void>;
  move(host: string): Promise<void>;
}

describe('docs/layers.md', () => {
  let opened: INestApplication[] = [];

  beforeAll(() => {
    expect(namelessSnippetsIn(GUIDE)).toBe(0);
    expect(compileSnippets(snippetsOf(GUIDE), FOLDER)).toEqual([]);
  });
  afterEach(async () => {
    for (const app of opened) await app.close();
    opened = [];
    delete process.env.DB_PORT;
  });

  const load = async <T>(file: string, name: string): Promise<Type<T>> =>
    ((await import(join(FOLDER, file))) as Record<string, Type<T>>)[name] as Type<T>;
  const start = async (etcd: FakeCluster, providers: Type[]): Promise<INestApplication> => {
    const imports = [await load('app.module.js', 'AppModule')];
    const builder = Test.createTestingModule({ imports, providers }).setLogger(quiet);
    const app = (await etcd.replaceIn(builder).compile()).createNestApplication({ logger: false });
    opened.push(await app.init());
    return app;
  };

  it('merges the layers and a variable, and names the origin of each property', async () => {
    process.env.DB_PORT = '6432';
    const provenance = await load<{ lines(): string[] }>('provenance.js', 'Provenance');
    const app = await start(new FakeCluster({ '/base/db': BASE, '/prod/db': PRODUCTION }), [provenance]);
    const { config } = app.get<{ config: { value: object } }>(await load('app.module.js', 'Database'));

    expect(config.value).toEqual({
      host: 'db-prod',
      port: 6432,
      pool: { max: 50, idleMs: 1000 },
      replicas: ['db-prod-2'],
    });
    expect(app.get(provenance).lines()).toEqual([
      'host: layer /prod/db',
      'pool.max: layer /prod/db',
      'pool.idleMs: layer /base/db',
      'replicas: layer /prod/db',
      'port: variable DB_PORT',
    ]);
  });

  it('names a variable that does not fit', async () => {
    process.env.DB_PORT = 'tcp://10.0.0.1:5432';

    await expect(start(new FakeCluster(), [])).rejects.toThrow(/DB_PORT must be a number$/);
  });

  it('writes single layers, and refuses what would make the whole invalid', async () => {
    const etcd = new FakeCluster({ '/base/db': BASE, '/prod/db': PRODUCTION });
    const type = await load<Operations>('operations.js', 'Operations');
    const operations = (await start(etcd, [type])).get(type);
    await operations.grow(5);
    expect(etcd.json('/prod/db')).toEqual({ ...PRODUCTION, pool: { max: 55 } });
    await expect(operations.replace({ pool: { max: 0 } })).rejects.toThrow('pool.max of layer "/prod/db" [min]');
    await operations.replace({ host: 'other' });
    await operations.move('db-9');

    expect([etcd.json('/base/db'), etcd.json('/prod/db')]).toEqual([{ host: 'db-9' }, undefined]);
  });
});
