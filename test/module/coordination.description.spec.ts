import { Injectable, type Type } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { IsInt } from 'class-validator';
import {
  ClusterCron,
  ClusterLocks,
  ClusterServices,
  type CoordinationDescription,
  type CronDescription,
  type Election,
  EtcdTriggerInspector,
  InjectElection,
} from 'nestjs-etcd-trigger';
import { EtcdTriggerHealthIndicator } from 'nestjs-etcd-trigger/terminus';
import { FakeCluster, settled } from 'nestjs-etcd-trigger/testing';
import { describe, expect, it } from 'vitest';
import { CollectingLogger } from '../support/collecting-logger.js';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';

class Address {
  @IsInt() port!: number;
}

@Injectable()
class Candidate {
  constructor(@InjectElection('orders') readonly election: Election) {}
}

@Injectable()
class Job {
  @ClusterCron('* * * * *', { name: 'report' })
  run(): void {
    // Only the state of the job matters.
  }
}

async function start(fake: FakeCluster, podName: string, providers: Type[] = [], logger = new CollectingLogger()) {
  const app = await startApp(
    {
      hosts: '',
      client: fake,
      podName,
      coordination: { prefix: '/co' },
      requestTimeoutMs: 200,
      shutdown: { drainTimeoutMs: 300 },
      logger,
    },
    { imports: [TerminusModule], providers: [...providers, EtcdTriggerHealthIndicator] },
  );
  const clusterOf = () => app.app.get(EtcdTriggerInspector).describe().clusters[0];
  return {
    ...app,
    logger,
    locks: app.app.get(ClusterLocks),
    services: app.app.get(ClusterServices),
    get coordination(): CoordinationDescription {
      const coordination = clusterOf()?.coordination;
      if (!coordination) throw new Error('there is no coordination');
      return coordination;
    },
    get cron(): CronDescription | undefined {
      return clusterOf()?.crons[0];
    },
    get health(): unknown {
      return app.app.get(EtcdTriggerHealthIndicator).ready().etcd;
    },
  };
}

const degraded = (...reasons: readonly unknown[]): object => ({
  status: 'up',
  state: 'degraded',
  clusters: { default: { state: 'degraded', reasons } },
});

describe('the description of an application', () => {
  it('has no coordination without the option', async () => {
    await using app = await startApp({ hosts: '', client: new FakeCluster() });
    expect(app.app.get(EtcdTriggerInspector).describe().clusters[0]?.coordination).toBe(undefined);
  });

  it('shows who leads and who owns a job, on each instance', async () => {
    const fake = new FakeCluster();
    await using first = await start(fake, 'pod-1', [Candidate, Job]);
    await using second = await start(fake, 'pod-2', [Candidate, Job]);
    await fake.elect('orders', first.app);
    fake.advance(60_000);
    await settled(fake);
    await eventually(() => first.cron?.owner?.token === second.cron?.owner?.token);

    const [own] = first.coordination.elections;
    const leader = { instance: first.coordination.instance, pod: 'pod-1', token: own?.token };
    expect(own).toEqual({ name: 'orders', isLeader: true, token: expect.any(Number) as number, leader });
    expect(second.coordination.elections).toEqual([{ name: 'orders', isLeader: false, token: undefined, leader }]);

    const [owner, standby] = first.cron?.state === 'owner' ? [first, second] : [second, first];
    expect([owner.cron?.state, standby.cron?.state]).toEqual(['owner', 'standby']);
    expect(standby.cron?.owner).toEqual(owner.cron?.owner);
    expect(owner.cron?.owner?.instance).toBe(owner.coordination.instance);
    for (const { cron } of [first, second]) {
      expect(cron).toMatchObject({ lastTick: '2000-01-01T00:01:00.000Z', nextTick: '2000-01-01T00:02:00.000Z' });
    }
    const claims = [...first.coordination.claims, ...second.coordination.claims];
    expect(claims.map(({ kind, name, held }) => `${kind} ${name} ${held}`).sort()).toEqual([
      'cron report true',
      'election orders true',
    ]);
    expect(first.health).toMatchObject({ state: 'up' });
  });

  it('shows the locks that the instance holds or waits for, and those that it has lost', async () => {
    const fake = new FakeCluster();
    await using app = await start(fake, 'pod-1');
    expect(app.coordination).toMatchObject({ lease: { state: 'unused', id: undefined }, locks: [], claims: [] });
    const lock = await app.locks.acquire('stock');
    const waiting = app.locks.acquire('stock');
    const { token } = lock.fence;

    expect(app.coordination.locks).toEqual([
      { name: 'stock', state: 'held', token },
      { name: 'stock', state: 'waiting', token: undefined },
    ]);
    expect(app.coordination.claims).toEqual([{ kind: 'lock', name: 'stock', token, held: true }]);
    const { lease } = app.coordination;
    expect(lease).toMatchObject({ state: 'valid', ttlMs: 15_000 });
    expect(lease.remainingMs).toBeLessThanOrEqual(12_000);

    await settled(fake);
    for (const key of fake.keys('/co/v1/locks/').slice(0, 1)) fake.delete(key);
    const next = await waiting;
    await eventually(() => app.coordination.locks.some(({ state }) => state === 'lost'));
    expect(app.coordination.claims).toContainEqual({ kind: 'lock', name: 'stock', token, held: false });
    await Promise.all([lock.release(), next.release()]);
    expect([app.coordination.locks, app.coordination.claims]).toEqual([[], []]);
  });

  it('shows the services that the instance is part of and follows', async () => {
    const fake = new FakeCluster();
    await using app = await start(fake, 'pod-1');
    const list = app.services.follow('shop', Address);
    const registration = await app.services.register('shop', { port: 80 }, { id: 'shop-1' });
    await eventually(() => list.value.length === 1);

    expect(app.coordination.registrations).toEqual([{ service: 'shop', id: 'shop-1', isRegistered: true }]);
    expect(app.coordination.followedServices).toEqual([{ service: 'shop', instances: 1 }]);
    await registration.close();
    list.close();
    expect([app.coordination.registrations, app.coordination.followedServices]).toEqual([[], []]);
  });

  it('shows the names of other instances with control characters escaped', async () => {
    const fake = new FakeCluster();
    fake.put('/co/v1/elections/orders', { v: 1, instance: 'x', pod: '\u001b[2J', other: '4711' });
    await using app = await start(fake, 'pod-1', [Candidate]);
    await settled(fake);
    expect(app.coordination.elections[0]?.leader?.pod).toBe('\\u001b[2J');
    expect(JSON.stringify(app.coordination)).not.toContain('4711');
  });
});

describe('the health of an application that shares work', () => {
  const notConfirmed = 'etcd has not confirmed the lease of this instance before its deadline';

  it('is degraded from the deadline of its lease until etcd is back', async () => {
    const fake = new FakeCluster();
    await using app = await start(fake, 'pod-1', [Candidate]);
    await fake.elect('orders', app.app);
    expect(app.health).toMatchObject({ state: 'up' });

    fake.disconnect();
    fake.advance(15_000);
    await eventually(() => app.coordination.lease.state === 'missing');
    expect(app.coordination.problems).toEqual([notConfirmed]);
    expect(JSON.stringify(app.health)).toContain(notConfirmed);
    expect(app.health).toMatchObject({ status: 'up', state: 'degraded' });

    fake.reconnect();
    await eventually(() => app.coordination.elections[0]?.isLeader === true);
    await settled(fake);
    expect([app.coordination.problems, app.coordination.lease.state]).toEqual([[], 'valid']);
    expect(app.health).toMatchObject({ state: 'up' });
  });

  it('is no longer degraded when etcd is back and nothing needs the lease any more', async () => {
    const fake = new FakeCluster();
    await using app = await start(fake, 'pod-1');
    const lock = await app.locks.acquire('stock');
    fake.disconnect();
    fake.advance(15_000);
    await eventually(() => app.coordination.problems.length === 1);
    void lock.release();
    fake.reconnect();
    await eventually(() => app.coordination.lease.state === 'unused');
    await settled(fake);
    expect(app.health).toMatchObject({ state: 'up' });
  });

  it('is degraded while etcd refuses to list the instance, which is logged once', async () => {
    const fake = new FakeCluster();
    fake.deny('/co/v1/instances/');
    await using app = await start(fake, 'pod-1', [Candidate]);
    const refusal = /^this instance cannot be listed: .*denied/;
    await eventually(() => app.coordination.problems.length === 1);

    expect(app.coordination.problems).toEqual([expect.stringMatching(refusal)]);
    expect(app.health).toMatchObject({ state: 'degraded' });
    const warning =
      /this instance cannot be listed: .*; it takes no part in elections, cron jobs and handler groups until then/g;
    expect(app.logger.text.match(warning)).toHaveLength(1);
    fake.allow();
  });

  it('is degraded while etcd refuses to remove a key, and nobody else is let in', async () => {
    const fake = new FakeCluster();
    await using app = await start(fake, 'pod-1');
    const lock = await app.locks.acquire('stock');
    fake.deny('/co/v1/locks/');
    const released = lock.release();
    const refusal: unknown = expect.stringMatching(/^"\/co\/v1\/locks\/stock\/.*" cannot be removed: .*denied/);
    await eventually(() => {
      expect(app.health).toEqual(degraded(refusal));
    });
    expect(app.logger.text.match(/cannot be removed: .*; retrying/g)).toHaveLength(1);
    expect(fake.keys('/co/v1/locks/')).toHaveLength(1);
    fake.allow();
    await released;
  });

  it('is degraded while etcd denies the last tick of a job, which is logged', async () => {
    const fake = new FakeCluster();
    await using app = await start(fake, 'pod-1', [Job]);
    await settled(fake);
    fake.deny('/co/v1/crons/report/last');
    fake.advance(60_000);
    const denial: unknown = expect.stringMatching(/^"report" cannot use its last tick: .*denied/);
    await eventually(() => {
      expect(app.health).toEqual(degraded(denial));
    });
    expect(app.logger.text.match(/cannot use its last tick: .*; retrying/g)).toHaveLength(1);
  });

  it('is degraded while etcd refuses a claim, and names the election', async () => {
    const fake = new FakeCluster();
    fake.put('/co/v1/elections/orders', { v: 1, instance: 'other', pod: 'pod-2' });
    await using app = await start(fake, 'pod-1', [Candidate]);
    await settled(fake);
    fake.deny('/co/v1/elections/');
    fake.delete('/co/v1/elections/orders');
    const refusal: unknown = expect.stringMatching(/^"orders" cannot be claimed: .*denied/);
    await eventually(() => {
      expect(app.health).toEqual(degraded(refusal));
    });
    fake.allow();
    await eventually(() => app.coordination.elections[0]?.isLeader === true);
    expect(app.coordination.problems).toEqual([]);
  });
});
