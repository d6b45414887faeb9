import { Injectable } from '@nestjs/common';
import { HealthIndicatorService } from '@nestjs/terminus';
import {
  ClusterCron,
  type ClusterCronTick,
  type CronDescription,
  EtcdTriggerInspector,
  type EtcdTriggerOptions,
} from 'nestjs-etcd-trigger';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { type BackendSource, OPEN_BACKEND } from '../../lib/backend/cluster-backend.js';
import { CollectingLogger } from '../support/collecting-logger.js';
import { startApp } from '../support/start-app.js';

const HOUR_MS = 3_600_000;
const OWNER = '/co/v1/crons/job/owner';
const LAST = '/co/v1/crons/job/last';

@Injectable()
class Minutely {
  readonly ticks: string[] = [];

  @ClusterCron('* * * * *', { name: 'job', missed: 'all' })
  run({ scheduledAt }: ClusterCronTick): void {
    this.ticks.push(scheduledAt.toISOString().slice(11, 16));
  }
}

/** An instance whose wall clock differs from that of the fake. */
async function start(fake: FakeCluster, aheadMs: number) {
  const clock = { aheadMs };
  const client: BackendSource = {
    [OPEN_BACKEND]: (options) => {
      const backend = fake[OPEN_BACKEND](options);
      const { wallClock } = backend;
      if (!wallClock) throw new Error('the fake has a wall clock');
      return Object.assign(backend, {
        wallClock: {
          now: () => wallClock.now() + clock.aheadMs,
          after: (ms: number, call: () => void) => wallClock.after(ms, call),
        },
      });
    },
  };
  const logger = new CollectingLogger();
  const options: EtcdTriggerOptions = { client, coordination: { prefix: '/co' }, logger };
  const { app, ...started } = await startApp({ hosts: '', ...options }, { providers: [Minutely] });
  await settled(fake);
  const job = (): CronDescription | undefined => app.get(EtcdTriggerInspector).describe().clusters[0]?.crons[0];
  return {
    ...started,
    clock,
    job,
    ticks: app.get(Minutely).ticks,
    health: new EtcdTriggerHealthIndicator(new HealthIndicatorService(), app.get(EtcdTriggerInspector)),
    errors: () => logger.lines.filter(({ level }) => level === 'error').map(({ text }) => text.split(' [')[0]),
  };
}

async function pass(fake: FakeCluster, minutes: number): Promise<void> {
  for (let minute = 0; minute < minutes; minute += 1) {
    fake.advance(60_000);
    await settled(fake);
  }
}

describe('a cron job of instances whose clocks differ', () => {
  it('goes on at once at an instance with the right time, and not at one whose clock is an hour behind', async () => {
    const fake = new FakeCluster();
    const first = await start(fake, 0);
    await using behind = await start(fake, -HOUR_MS);
    await pass(fake, 2);
    await first[Symbol.asyncDispose]();
    await settled(fake);
    expect([behind.job()?.state, fake.keys(OWNER)]).toEqual(['behind', []]);
    await using right = await start(fake, 0);
    await pass(fake, 3);

    expect([first.ticks, behind.ticks, right.ticks]).toEqual([['00:01', '00:02'], [], ['00:03', '00:04', '00:05']]);
    expect([behind.job()?.state, right.job()?.state]).toEqual(['behind', 'owner']);
    expect(behind.errors()).toEqual([
      'the clock of this instance is 3600 s behind the last tick of "job": ' +
        'this instance does not claim the job until its clock has caught up',
    ]);
  });

  it('is given up by an owner whose clock is set back, and another instance goes on without a gap', async () => {
    const fake = new FakeCluster();
    await using first = await start(fake, 0);
    await pass(fake, 1);
    await using second = await start(fake, 0);
    await pass(fake, 1);
    first.clock.aheadMs = -HOUR_MS;
    await pass(fake, 3);

    expect([first.ticks, second.ticks]).toEqual([
      ['00:01', '00:02'],
      ['00:03', '00:04', '00:05'],
    ]);
    expect([first.job()?.state, second.job()?.state]).toEqual(['behind', 'owner']);
  });

  it('goes on after the last tick of a clock that was ahead, when all other clocks have caught up', async () => {
    const fake = new FakeCluster();
    const ahead = await start(fake, 10 * 60_000);
    await pass(fake, 2);
    await ahead[Symbol.asyncDispose]();
    await using right = await start(fake, 0);
    await pass(fake, 8);
    expect([ahead.ticks, right.ticks, right.job()?.state]).toEqual([['00:11', '00:12'], [], 'behind']);
    expect(right.health.ready()).toMatchObject({ etcd: { state: 'degraded' } });
    await pass(fake, 4);

    expect(right.ticks).toEqual(['00:13', '00:14']);
    expect(right.job()).toMatchObject({ state: 'owner', missed: 0 });
  });

  it('goes on when an operator has deleted a last tick that is far in the future', async () => {
    const fake = new FakeCluster();
    fake.put(LAST, { v: 1, scheduledAt: '2100-01-01T00:00:00.000Z', by: 'test' });
    await using app = await start(fake, 0);
    await pass(fake, 2);
    expect([app.job()?.state, app.errors().length, fake.keys(OWNER)]).toEqual(['behind', 1, []]);
    fake.delete(LAST);
    await pass(fake, 3);

    expect([app.job()?.state, app.ticks.at(-1)]).toEqual(['owner', '00:05']);
  });
});

describe('a cron job whose last tick is of another version', () => {
  it('is left to the instances that can read it', async () => {
    const fake = new FakeCluster();
    fake.put(LAST, { v: 2 });
    await using app = await start(fake, 0);
    await pass(fake, 2);
    expect([app.job()?.state, app.ticks, fake.keys(OWNER)]).toEqual(['unreadable', [], []]);
    expect(app.errors()).toEqual([
      'the last tick of "job" in etcd is not one of this version: this instance does not claim the job',
    ]);
    fake.put(LAST, { v: 1, scheduledAt: '2000-01-01T00:02:00.000Z', by: 'test' });
    await pass(fake, 2);

    expect([app.job()?.state, app.ticks]).toEqual(['owner', ['00:03', '00:04']]);
  });
});
