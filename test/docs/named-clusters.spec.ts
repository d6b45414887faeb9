import { join, resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { ownEtcd } from '../support/own-etcd.js';
import { quiet } from '../support/quiet-logger.js';

const DOCUMENT = 'docs/named-clusters.md';
const FOLDER = resolve('test/docs/.snippets/named-clusters');

interface Audit {
  readonly store: { keys(): string[] };
  readonly auditStore: { keys(): string[] };
}

describe('every snippet of docs/named-clusters.md', () => {
  const etcd = ownEtcd();

  beforeAll(() => {
    process.env.ETCD_HOSTS = etcd.hosts.join();
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
  });
  afterAll(() => {
    delete process.env.ETCD_HOSTS;
  });

  it('connects a cluster with the options that another one stores', async () => {
    const { hostname, port } = new URL(etcd.hosts[0] ?? '');
    await etcd.put('/tenants/audit', { host: hostname, port: Number(port) });
    const { Audit, MoreModule } = (await import(join(FOLDER, 'more.module.js'))) as Record<string, Type>;
    const built = await Test.createTestingModule({ imports: [MoreModule as Type] })
      .setLogger(quiet)
      .compile();
    const app = await built.createNestApplication().init();
    const audit = app.get<Audit>(Audit as Type);

    expect(audit.store.keys()).toEqual(['/tenants/audit']);
    expect(audit.auditStore.keys()).toEqual([]);
    await app.close();
  });
});
