import { readFileSync } from 'node:fs';
import { Injectable } from '@nestjs/common';
import { IsInt } from 'class-validator';
import { Etcd3 } from 'etcd3';
import {
  ClusterCron,
  ClusterLocks,
  ClusterServices,
  type Election,
  EtcdTriggerInspector,
  InjectElection,
  OnElected,
  PermissionDeniedError,
} from 'nestjs-etcd-trigger';
import { EtcdTestCluster } from 'nestjs-etcd-trigger/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { etcdctlCommandsIn, runEtcdctl } from '../support/etcdctl.js';
import { eventually } from '../support/eventually.js';
import { startApp } from '../support/start-app.js';

const COMMANDS = etcdctlCommandsIn(readFileSync('docs/pods.md', 'utf8'));
const GRANTS = COMMANDS.filter((command) => command.startsWith('role grant-permission'));

class Address {
  @IsInt() port!: number;
}

@Injectable()
class Worker {
  terms = 0;
  ticks = 0;

  constructor(
    @InjectElection('report') readonly election: Election,
    readonly locks: ClusterLocks,
    readonly services: ClusterServices,
  ) {}

  @OnElected('report')
  lead(): void {
    this.terms += 1;
  }

  @ClusterCron('* * * * * *', { name: 'report' })
  tick(): void {
    this.ticks += 1;
  }
}

describe('the role in docs/pods.md', () => {
  let etcd: EtcdTestCluster;
  let root: Etcd3;

  beforeAll(async () => {
    etcd = await EtcdTestCluster.start();
    const anonymous = new Etcd3({ hosts: etcd.hosts });
    for (const command of ['role add root', 'user add root', 'user grant-role root root']) {
      await runEtcdctl(anonymous, command);
    }
    for (const command of COMMANDS) await runEtcdctl(anonymous, command);
    await runEtcdctl(anonymous, 'auth enable');
    anonymous.close();
    root = new Etcd3({ hosts: etcd.hosts, auth: { username: 'root', password: 'of root' } });
  });
  afterAll(async () => {
    root.close();
    await etcd.stop();
  });

  const start = async (prefix = '/coordination/shop') => {
    const auth = { username: 'shop', password: 'of shop' };
    const coordination = { prefix, ttlSeconds: 5 };
    const app = await startApp(
      { hosts: etcd.hosts, client: { hosts: etcd.hosts, auth }, coordination },
      { providers: [Worker] },
    );
    const describeCluster = () => app.app.get(EtcdTriggerInspector).describe().clusters[0];
    return { ...app, worker: app.app.get(Worker), describeCluster };
  };

  it('has exactly one permission', async () => {
    expect(GRANTS).toEqual(['role grant-permission shop readwrite /coordination/shop/ --prefix']);
    expect((await root.role('shop').permissions()).length).toBe(1);
  });

  it('is enough for an election, a lock, a cron job, a service, renewals and the shutdown', async () => {
    const first = await start();
    await using second = await start();
    await eventually(() => first.worker.terms + second.worker.terms === 1);
    await eventually(() => first.worker.ticks + second.worker.ticks >= 2);
    const list = second.worker.services.follow('shop', Address);
    await first.worker.services.register('shop', { port: 80 });
    await eventually(() => list.value.length === 1);
    expect(await first.worker.locks.run('stock', (fence) => fence.verify())).toBe(true);

    // Past the first time to live, everything depends on renewals.
    const leader = (first.worker.election.isLeader ? first : second).worker;
    const token = leader.election.term?.token;
    const { ticks } = leader;
    await eventually(() => first.worker.ticks + second.worker.ticks >= ticks + 7);
    expect(leader.election.term?.token).toBe(token);
    for (const app of [first, second]) expect(app.describeCluster()?.coordination?.problems).toEqual([]);

    await first[Symbol.asyncDispose]();
    await eventually(() => second.worker.election.isLeader);
    await eventually(() => list.value.length === 0);
    expect(await root.getAll().prefix('/coordination/shop/v1/instances/').keys()).toHaveLength(1);
  });

  it('does not include what the methods write', async () => {
    await using app = await start();
    const write = app.worker.locks.run('stock', (fence) => app.watcher.put('/stock/tea', '1', { fence }));
    await expect(write).rejects.toThrow(PermissionDeniedError);
  });

  it('is needed: without it, the instance takes no part and says why', async () => {
    await using app = await start('/coordination/other');
    await eventually(() => {
      expect(app.describeCluster()?.coordination?.problems.join()).toMatch(
        /^this instance cannot be listed: .*permission/,
      );
    });
    expect([app.worker.terms, app.worker.ticks]).toEqual([0, 0]);
    await expect(app.worker.locks.tryAcquire('stock')).rejects.toThrow(PermissionDeniedError);
  });
});
