import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Etcd3 } from 'etcd3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compileSnippets, namelessSnippetsIn, snippetsOf } from '../readme/snippets.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { quiet } from '../support/quiet-logger.js';

const DOCUMENT = 'docs/migrating.md';
const FOLDER = resolve('test/docs/.snippets/migrating');

interface Mover {
  readonly seen: string[];
  move(): Promise<string>;
}

interface Jobs {
  readonly seen: string[];
  limit(): number | Promise<number>;
  raise(by: number): Promise<void>;
  report(write: () => Promise<void>): Promise<void>;
}

describe('docs/migrating.md', () => {
  const etcd = ownEtcd();
  const { put } = etcd;

  beforeAll(() => {
    expect(namelessSnippetsIn(DOCUMENT)).toBe(0);
    expect(compileSnippets(snippetsOf(DOCUMENT), FOLDER)).toEqual([]);
    process.env.ETCD_HOSTS = etcd.hosts.join();
  });
  beforeEach(async () => {
    await put('/jobs/1', 'new');
  });
  afterAll(() => {
    delete process.env.ETCD_HOSTS;
  });

  const load = async (file: string): Promise<Record<string, unknown>> =>
    (await import(join(FOLDER, file))) as Record<string, unknown>;
  const start = async (module: unknown): Promise<INestApplication> => {
    const built = await Test.createTestingModule({ imports: [module as Type] })
      .setLogger(quiet)
      .compile();
    return built.createNestApplication().init();
  };

  /** The behaviour that both services share. */
  const expectToWork = async (jobs: Jobs): Promise<void> => {
    await put('/jobs/2', 'new');
    await etcd.direct.delete().key('/jobs/1');
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

  it('has a service that works with plain etcd3', async () => {
    const { Jobs } = (await load('before.js')) as { Jobs: new (etcd: Etcd3) => Jobs & { start(): Promise<void> } };
    const client = new Etcd3({ hosts: etcd.hosts });
    const jobs = new Jobs(client);
    await jobs.start();
    await expectToWork(jobs);
    client.close();
  });

  it('has the same service with this library', async () => {
    const { Jobs, JobsModule } = await load('after.js');
    const app = await start(JobsModule);
    await expectToWork(app.get<Jobs>(Jobs as Type));
    await app.close();
  });

  it('replaces the Go library', async () => {
    const { ServiceModule } = await load('service.module.js');
    const app = await start(ServiceModule);
    const use = async <T>(file: string, name: string): Promise<T> => app.get<T>((await load(file))[name] as Type);
    const databases = await use<Mover>('databases.js', 'Databases');
    const events = await use<Mover>('events.js', 'Events');
    const locks = await use<Pick<Jobs, 'report'>>('locks.js', 'Locks');
    let isWritten = false;

    expect(await databases.move()).toBe('db-2, of /app/database');
    await eventually(() => databases.seen.length === 2);
    expect(databases.seen).toEqual(['put /app/database', 'delete /app/database']);
    expect(await events.move()).toBe('to db-2');
    await eventually(() => events.seen.length === 2);
    expect(events.seen).toEqual(['put /events/moved to db-2', 'delete /events/moved ']);
    await locks.report(() => {
      isWritten = true;
      return Promise.resolve();
    });
    expect(isWritten).toBe(true);
    await app.close();
  });

  it('shows the Go code for every function of the table', () => {
    const [, section = ''] = readFileSync(DOCUMENT, 'utf8').split(/^## From the Go library$/m);
    const go = Array.from(section.matchAll(/^```go\n([\s\S]*?)^```$/gm), ([, code = '']) => code).join();
    const table = Array.from(section.matchAll(/^\| (`[^|]+?) +\|/gm), ([, cell = '']) => cell).slice(1, 10);
    const names = table.flatMap((cell) => Array.from(cell.matchAll(/`([A-Z]\w+)/g), ([, name = '']) => name));

    expect(names).toContain('AddPrefixWatcher');
    expect(names.filter((name) => !new RegExp(`\\b${name}\\b`).test(go))).toEqual([]);
  });
});
