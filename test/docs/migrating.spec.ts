import { join, resolve } from 'node:path';
import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Etcd3 } from 'etcd3';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { eventually } from '../support/eventually.js';
import { quiet } from '../support/quiet-logger.js';

const DOCUMENT = 'docs/migrating.md';
const FOLDER = resolve('test/docs/.snippets/migrating');

interface Jobs {
  readonly seen: string[];
  limit(): number | Promise<number>;
  raise(by: number): Promise<void>;
  report(write: () => Promise<void>): Promise<void>;
}

describe('every snippet of docs/migrating.md', () => {
  let etcd: EtcdTestCluster;
  let client: Etcd3;

  beforeAll(async () => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
    etcd = await EtcdTestCluster.start();
    client = new Etcd3({ hosts: etcd.hosts });
    process.env.ETCD_HOSTS = etcd.hosts.join();
  });
  beforeEach(async () => {
    await client.delete().all();
    await client.put('/jobs/1').value('new');
  });
  afterAll(async () => {
    delete process.env.ETCD_HOSTS;
    client.close();
    await etcd.stop();
  });

  const load = async (file: string): Promise<Record<string, unknown>> =>
    (await import(join(FOLDER, file))) as Record<string, unknown>;
  const start = async (module: unknown): Promise<INestApplication> => {
    const built = await Test.createTestingModule({ imports: [module as Type] })
      .setLogger(quiet)
      .compile();
    return built.createNestApplication().init();
  };

  /** What both do, the one by hand and the one by this library. */
  const works = async (jobs: Jobs): Promise<void> => {
    await client.put('/jobs/2').value('new');
    await client.delete().key('/jobs/1');
    await eventually(() => jobs.seen.length === 3);
    expect(jobs.seen).toEqual(['put /jobs/1 new', 'put /jobs/2 new', 'delete /jobs/1 ']);
    expect(await jobs.limit()).toBe(10);
    await Promise.all([jobs.raise(1), jobs.raise(2)]);
    expect(await jobs.limit()).toBe(13);
    let isWritten = false;
    await jobs.report(() => {
      isWritten = true;
      return Promise.resolve();
    });
    expect(isWritten).toBe(true);
  };

  it('works by hand on etcd3', async () => {
    const { Jobs } = (await load('before.js')) as { Jobs: new (etcd: Etcd3) => Jobs & { start(): Promise<void> } };
    const own = new Etcd3({ hosts: etcd.hosts });
    const jobs = new Jobs(own);
    await jobs.start();
    await works(jobs);
    own.close();
  });

  it('works the same afterwards', async () => {
    const { Jobs, JobsModule } = await load('after.js');
    const app = await start(JobsModule);
    await works(app.get<Jobs>(Jobs as Type));
    await app.close();
  });

  it('does what the Go library did', async () => {
    const { Service, ServiceModule } = await load('service.module.js');
    const app = await start(ServiceModule);
    const service = app.get<{ seen: string[]; work: () => Promise<string> }>(Service as Type);

    expect(await service.work()).toBe('db-2, of /app/database');
    await eventually(() => service.seen.length === 2);
    expect(service.seen).toEqual(['put /app/database', 'put /events/moved to db-2']);
    await app.close();
  });
});
