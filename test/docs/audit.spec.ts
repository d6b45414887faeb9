import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { Test } from '@nestjs/testing';
import type { Type } from '@nestjs/common';
import { IsInt } from 'class-validator';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { etcdctlCommandsIn, runEtcdctl } from '../support/etcdctl.js';
import { quiet } from '../support/quiet-logger.js';
import { startApp, type StartedApp } from '../support/start-app.js';

const DOCUMENT = 'docs/audit.md';
const FOLDER = resolve('test/docs/audit/.snippets');

class Limit {
  @IsInt() requests!: number;
}

interface Limits {
  raise(tenant: string, by: number, author: string, reason: string): Promise<void>;
  changes(tenant: string): Promise<string[]>;
}

describe('docs/audit.md', () => {
  let etcd: EtcdTestCluster;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
  });
  afterAll(() => etcd.stop());

  it('shows who raised a limit', async () => {
    process.env.ETCD_HOSTS = etcd.hosts.join();
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
    const load = async <T>(file: string, name: string): Promise<Type<T>> =>
      ((await import(join(FOLDER, file))) as Record<string, Type<T>>)[name] as Type<T>;
    const module = await Test.createTestingModule({ imports: [await load('app.module.js', 'AppModule')] })
      .setLogger(quiet)
      .compile();
    const app = await module.createNestApplication().init();
    const limits = app.get<Limits>(await load('limits.js', 'Limits'));
    await limits.raise('a', 10, 'ada', 'OPS-1');
    await limits.raise('a', 5, 'grace', 'OPS-2');

    expect((await limits.changes('a')).map((line) => line.replace(/^\d+/, 'N'))).toEqual([
      'N: grace update requests OPS-2',
      'N: ada update  OPS-1',
    ]);
    await app.close();
    delete process.env.ETCD_HOSTS;
  });

  it('has commands with which an application writes and an auditor reads', async () => {
    const open = new Etcd3({ hosts: etcd.hosts });
    for (const command of etcdctlCommandsIn(readFileSync(DOCUMENT, 'utf8'))) await runEtcdctl(open, command);
    for (const command of ['role add root', 'user add root', 'user grant-role root root', 'auth enable'])
      await runEtcdctl(open, command);
    open.close();
    const start = (username: string): Promise<StartedApp> =>
      startApp({
        hosts: '',
        client: { hosts: etcd.hosts, auth: { username, password: `of ${username}` } },
        configs: [{ prefix: '/app/limits/', type: Limit }],
        audit: { prefix: '/audit/shop' },
      });
    await using shop = await start('shop');
    await using auditor = await start('auditor');
    const { revision } = await shop.store.put('/app/limits/b', { requests: 1 });
    await shop.store.update('/app/limits/b', Limit, () => ({ requests: 2 }));
    await shop.store.rollback('/app/limits/b', revision);
    await shop.store.delete('/app/limits/b');

    expect((await auditor.store.audit('/app/limits/b')).map(({ action }) => action)).toEqual([
      'delete',
      'rollback',
      'update',
      'put',
    ]);
    await expect(shop.store.audit('/app/limits/b')).rejects.toMatchObject({ code: 'ETCD_PERMISSION_DENIED' });
    await expect(auditor.store.put('/app/limits/b', { requests: 1 })).rejects.toMatchObject({
      code: 'ETCD_PERMISSION_DENIED',
    });
  });
});
