import { join, resolve } from 'node:path';
import { Test } from '@nestjs/testing';
import type { INestApplication, Type } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { quiet } from '../support/quiet-logger.js';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from './snippets.js';

const FOLDER = resolve('test/readme/.snippets');
const TITLES = [
  'database.config.ts',
  'app.module.ts',
  'database.client.ts',
  'order.events.ts',
  'raw.ts',
  'typed.ts',
  'more.module.ts',
];

describe('every snippet of the README', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  beforeAll(() => {
    process.env.ETCD_HOSTS = etcd.hosts.join();
    const snippets = snippetsOf('README.md');
    expect([...snippets.keys()]).toEqual(TITLES);
    expect(compileSnippets(snippets, FOLDER)).toEqual([]);
  });
  beforeEach(async () => {
    await put('/app/database', '{"host":"db-1","port":5432}');
  });
  afterAll(() => {
    delete process.env.ETCD_HOSTS;
  });

  const load = async <T>(file: string, name: string): Promise<Type<T>> => {
    const module = (await import(join(FOLDER, file))) as Record<string, Type<T>>;
    const found = module[name];
    if (!found) throw new Error(`${file} exports no ${name}`);
    return found;
  };
  const start = async (module: Type<unknown>, providers: Type<unknown>[] = []): Promise<INestApplication> => {
    const built = await Test.createTestingModule({ imports: [module], providers })
      .setLogger(quiet)
      .compile();
    return built.createNestApplication().init();
  };

  it('has a file name, so that none is left out', () => {
    expect(namelessSnippetsIn('README.md')).toBe(0);
  });

  it('reads, writes and reacts as it says', async () => {
    const app = await start(await load('app.module.js', 'AppModule'));
    const database = app.get<{ address: string; hosts: string[]; moveTo: (host: string) => Promise<void> }>(
      await load('database.client.js', 'DatabaseClient'),
    );
    const orders = app.get<{ seen: string[] }>(await load('order.events.js', 'OrderEvents'));

    expect(database.address).toBe('db-1:5432');
    await database.moveTo('db-2');
    expect(database.address).toBe('db-2:5432');
    expect(database.hosts).toEqual(['db-1', 'db-2']);
    await put('/orders/1', 'new');
    await put('/orders/1', 'paid');
    await eventually(() => orders.seen.length === 2);
    expect(orders.seen).toEqual(['live put /orders/1 new (was -)', 'live put /orders/1 paid (was new)']);
    await app.close();
  });

  it('shows the raw side and the typed side', async () => {
    const raw = await load<{ show: (print: (line: string) => void) => Promise<void> }>('raw.js', 'Raw');
    const typed = await load<{ show: (print: (line: string) => void) => Promise<void> }>('typed.js', 'Typed');
    const app = await start(await load('app.module.js', 'AppModule'), [raw, typed]);
    const lines: string[] = [];
    await app.get(raw).show((line) => lines.push(line));
    expect(lines.slice(0, 1)).toEqual(['/raw/a 3']);
    expect(lines).toContain('010203');

    lines.length = 0;
    await app.get(typed).show((line) => lines.push(line));
    expect(lines).toEqual(['valid', 'initial put /app/database', 'live put /app/database', '/app/database']);
    await app.close();
  });

  it('connects several modules and clusters', async () => {
    const { hostname, port } = new URL(etcd.hosts[0] ?? '');
    await put('/tenants/audit', { host: hostname, port: Number(port) });
    const app = await start(await load('more.module.js', 'MoreModule'));
    const audit = app.get<{ store: { keys: () => string[] }; auditStore: { keys: () => string[] } }>(
      await load('more.module.js', 'Audit'),
    );

    expect(audit.store.keys()).toEqual(['/tenants/audit']);
    expect(audit.auditStore.keys()).toEqual([]);
    await app.close();
  });
});
