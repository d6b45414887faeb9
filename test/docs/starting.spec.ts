import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { StoreService } from 'nestjs-etcd-trigger';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { ownEtcd } from '../support/own-etcd.js';
import { quiet } from '../support/quiet-logger.js';
import { TcpProxy } from '../support/tcp-proxy.js';

const DOCUMENT = 'docs/starting.md';
const FOLDER = resolve('test/docs/.snippets/starting');

describe('docs/starting.md', () => {
  const etcd = ownEtcd();
  let proxy: TcpProxy;
  let directory: string;

  beforeAll(async () => {
    proxy = await TcpProxy.start(etcd.first.clientPort);
    directory = mkdtempSync(join(tmpdir(), 'starting-'));
    process.env.ETCD_HOSTS = proxy.endpoint;
    process.env.SNAPSHOT_DIRECTORY = directory;
    process.env.SNAPSHOT_KEY = randomBytes(32).toString('hex');
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
  });
  afterAll(() => {
    for (const name of ['ETCD_HOSTS', 'SNAPSHOT_DIRECTORY', 'SNAPSHOT_KEY']) Reflect.deleteProperty(process.env, name);
    proxy.stop();
    rmSync(directory, { recursive: true });
  });

  it('starts, and starts again from the encrypted snapshot during an etcd outage', async () => {
    await etcd.put('/app/database', { host: 'db-1', port: 1 });
    await etcd.put('/app/api-key', { key: 'k' });
    const { AppModule, ApiKey } = (await import(join(FOLDER, 'app.module.js'))) as Record<
      string,
      Type<{ key: string }>
    >;
    const { ReadinessController } = (await import(join(FOLDER, 'readiness.controller.js'))) as {
      readonly ReadinessController: Type<{ ready: () => { readonly status: string } }>;
    };
    const start = async () => {
      const built = Test.createTestingModule({ imports: [AppModule as Type<object>] }).setLogger(quiet);
      return (await built.compile()).createNestApplication({ logger: quiet }).init();
    };
    const first = await start();
    expect(first.get(ReadinessController).ready()).toEqual({ status: 'ready' });
    await first.close();
    proxy.refuse();
    proxy.cut();
    const second = await start();

    expect(second.get(ReadinessController).ready()).toEqual({ status: 'stale' });
    expect(second.get(StoreService).get('/app/api-key', ApiKey as Type<{ key: string }>)).toEqual({ key: 'k' });
    await second.close();
  });
});
