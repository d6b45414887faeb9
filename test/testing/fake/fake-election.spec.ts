import { Injectable } from '@nestjs/common';
import { type Election, type Fence, InjectElection, OnElected, OnLeadershipLost } from 'nestjs-etcd-trigger';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { startApp, type StartedApp } from '../../support/start-app.js';

@Injectable()
class Worker {
  readonly tokens: number[] = [];
  lost = 0;
  end: Promise<unknown> | undefined;

  constructor(@InjectElection('worker') readonly election: Election) {}

  @OnElected('worker')
  async run({ token }: Fence): Promise<void> {
    this.tokens.push(token);
    await this.end;
  }

  @OnLeadershipLost('worker')
  onLost(): void {
    this.lost += 1;
  }
}

describe('FakeCluster.elect()', () => {
  const started: StartedApp[] = [];
  const start = async (fake: FakeCluster, keyPrefix = '') => {
    const app = await startApp(
      { hosts: '', client: fake, keyPrefix, coordination: { prefix: '/co' } },
      { providers: [Worker] },
    );
    started.push(app);
    return { app: app.app, worker: app.app.get(Worker) };
  };
  afterEach(async () => {
    for (const app of started.splice(0)) await app[Symbol.asyncDispose]();
  });

  it('makes one application after the other the leader', async () => {
    const fake = new FakeCluster();
    const apps = [await start(fake), await start(fake), await start(fake)];
    for (const next of [...apps, ...apps]) {
      await fake.elect('worker', next.app);
      expect(next.worker.election.isLeader).toBe(true);
      await settled(fake);

      const { leader } = next.worker.election;
      expect(apps.map(({ worker }) => worker.election.leader)).toEqual([leader, leader, leader]);
      expect(apps.filter(({ worker }) => worker.election.isLeader)).toEqual([next]);
    }
    const tokens = apps.flatMap(({ worker }) => worker.tokens);
    expect(new Set(tokens).size).toBe(tokens.length);
    expect(apps.reduce((sum, { worker }) => sum + worker.lost, 0)).toBe(tokens.length - 1);
  });

  it('has no effect on the leader itself, nor on an election under another prefix', async () => {
    const fake = new FakeCluster();
    const first = await start(fake);
    const other = await start(fake, '/other');
    await fake.elect('worker', first.app);
    await fake.elect('worker', other.app);
    await fake.elect('worker', first.app);

    expect([first.worker.tokens.length, other.worker.tokens.length]).toEqual([1, 1]);
    expect([first.worker.election.isLeader, other.worker.election.isLeader]).toEqual([true, true]);
  });

  it('waits until the calls of the last term have ended', async () => {
    const fake = new FakeCluster();
    const first = await start(fake);
    let end = (): void => undefined;
    first.worker.end = new Promise<void>((resolve) => (end = resolve));
    await fake.elect('worker', first.app);
    const second = await start(fake);
    const elected = fake.elect('worker', second.app);
    await settled(fake);
    expect([second.worker.election.isLeader, first.worker.election.term]).toEqual([false, undefined]);
    end();
    await elected;
    expect(second.worker.election.isLeader).toBe(true);
  });

  it('refuses an application that is no candidate on the fake', async () => {
    const fake = new FakeCluster();
    const { app } = await start(new FakeCluster());
    await expect(fake.elect('worker', app)).rejects.toThrow(/elect\("worker"\): the application is no candidate/);
    await expect(fake.elect('worker', { get: () => [] })).rejects.toThrow(/no candidate/);
  });
});
