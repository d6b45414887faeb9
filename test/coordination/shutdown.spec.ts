import { Injectable } from '@nestjs/common';
import { ClusterCron, EtcdTriggerInspector, type Fence, OnElected, WatcherService } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';

const OWNER = '/co/v1/elections/job';

@Injectable()
class Job {
  term: Fence | undefined;
  onAbort: (term: Fence) => Promise<unknown> = () => Promise.resolve();

  constructor(readonly watcher: WatcherService) {}

  @OnElected('job')
  async run(term: Fence): Promise<void> {
    this.term = term;
    await new Promise((resolve) => {
      term.signal.addEventListener('abort', resolve);
    });
    await this.onAbort(term);
  }
}

async function start(fake: FakeCluster) {
  const app = await startApp(
    {
      hosts: '',
      client: fake,
      coordination: { prefix: '/co' },
      shutdown: { drainTimeoutMs: 300 },
      requestTimeoutMs: 200,
    },
    { providers: [Job] },
  );
  const job = app.app.get(Job);
  await eventually(() => job.term?.held === true);
  return { app, job, term: job.term as Fence };
}

describe('the coordination at shutdown', () => {
  it('lets a run finish with fenced writes, and leaves no key behind', async () => {
    const fake = new FakeCluster();
    const { app, job } = await start(fake);
    job.onAbort = async (term) => {
      await new Promise((resolve) => setImmediate(resolve));
      await job.watcher.put('/last', 'words', { fence: term });
    };
    expect(fake.keys().length).toBe(2);
    await app[Symbol.asyncDispose]();

    expect(fake.keys()).toEqual(['/last']);
  });

  it('does not let another one in while a run ignores its signal, until the lease expires', async () => {
    const fake = new FakeCluster();
    const { app, job, term } = await start(fake);
    job.onAbort = () => new Promise(() => undefined);
    await app[Symbol.asyncDispose]();

    expect([fake.keys(), term.held]).toEqual([[OWNER], false]);
    fake.advance(15_000);
    expect(fake.keys()).toEqual([]);
  });

  it('ends although etcd is away', async () => {
    const fake = new FakeCluster();
    const { app, term } = await start(fake);
    fake.disconnect();
    await app[Symbol.asyncDispose]();

    expect(term.held).toBe(false);
  });
});

const LAST = '/co/v1/crons/tick/last';

@Injectable()
class Minutely {
  @ClusterCron('* * * * *', { name: 'tick' })
  run(): void {
    // Only the tick counts.
  }
}

describe('a cron job at shutdown', () => {
  const startJob = async (fake: FakeCluster, drainTimeoutMs: number) => {
    const app = await startApp(
      { hosts: '', client: fake, coordination: { prefix: '/co' }, shutdown: { drainTimeoutMs } },
      { providers: [Minutely] },
    );
    const inspector = app.app.get(EtcdTriggerInspector);
    return { app, problems: () => inspector.describe().clusters[0]?.coordination?.problems ?? [] };
  };

  it.each(['the first', 'a later'])('is given up although etcd denies to store %s tick', async (tick) => {
    const fake = new FakeCluster();
    if (tick === 'the first') fake.deny(LAST);
    const { app, problems } = await startJob(fake, 300);
    if (tick === 'a later') await settled(fake);
    fake.deny(LAST);
    fake.advance(60_000);
    await eventually(() => problems().length === 1);
    expect(problems()[0]).toContain('"tick" cannot use its last tick');
    await app[Symbol.asyncDispose]();

    expect(fake.keys()).toEqual(tick === 'the first' ? [] : [LAST]);
  });

  it('does not wait until the drain limit for the answer to its last tick', async () => {
    const fake = new FakeCluster();
    const { app } = await startJob(fake, 60_000);
    await settled(fake);
    fake.advance(55_000);
    fake.freeze();
    fake.advance(5_000);
    await eventually(() => JSON.stringify(fake.json(LAST)).includes('00:01:00'));
    const begin = performance.now();
    await app[Symbol.asyncDispose]();

    expect(performance.now() - begin).toBeLessThan(30_000);
  });
});
