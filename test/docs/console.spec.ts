import { join, resolve } from 'node:path';
import type { INestApplication, Type } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import { FakeCluster } from 'nestjs-etcd-trigger/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { quiet } from '../support/quiet-logger.js';

const DOCUMENT = 'docs/console.md';
const FOLDER = resolve('test/docs/console/.snippets');

describe('docs/console.md', () => {
  beforeAll(() => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
  });

  it.each(['express', 'fastify'])('mounts the console behind a guard on %s', async (adapter) => {
    const { AppModule } = (await import(join(FOLDER, 'app.module.js'))) as { readonly AppModule: Type<object> };
    const etcd = new FakeCluster({ '/shop/database': { host: 'db-1', port: 5_432, password: 'secret' } });
    const module = await etcd.replaceIn(Test.createTestingModule({ imports: [AppModule] }).setLogger(quiet)).compile();
    const app: INestApplication =
      adapter === 'fastify' ? module.createNestApplication(new FastifyAdapter()) : module.createNestApplication();
    await app.listen(0, '127.0.0.1');
    const url = `${(await app.getUrl()).replace('[::1]', '127.0.0.1')}/admin/etcd/`;
    const statusFor = async (user: string): Promise<number> =>
      (await fetch(url, { headers: { 'x-user': user } })).status;

    expect([await statusFor('eve'), await statusFor('ada')]).toEqual([403, 200]);
    const entry = await fetch(`${url}api/entry?key=/shop/database`, { headers: { 'x-user': 'ada' } });
    expect(await entry.json()).toMatchObject({ document: { host: 'db-1', password: '***' } });
    await app.close();
  });
});
