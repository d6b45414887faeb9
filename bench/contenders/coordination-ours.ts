import 'reflect-metadata';
import { EventEmitter, once } from 'node:events';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  ClusterLocks,
  type Election,
  EtcdTriggerModule,
  InjectElection,
  OnElected,
  WatcherService,
} from 'nestjs-etcd-trigger';
import { options, startSample } from '../contender.js';
import type { CoordinationWork } from '../coordination.js';
import { metricOf } from '../etcd-metrics.js';
import { inParallel } from './in-parallel.js';

const { hosts, work, count } = options() as { hosts: string[]; work: CoordinationWork; count: number };

const NAME = 'leader';
const elected = new EventEmitter();

class Leader {
  constructor(@InjectElection(NAME) readonly election: Election) {}

  @OnElected(NAME)
  lead(): void {
    elected.emit('elected');
  }
}

function start(providers: (typeof Leader)[] = []): Promise<INestApplicationContext> {
  const etcd = EtcdTriggerModule.forRoot({ client: { hosts }, coordination: { prefix: '/coordination' } });
  return NestFactory.createApplicationContext({ module: class Root {}, imports: [etcd], providers }, { logger: false });
}

const WORKS: Record<CoordinationWork, () => Promise<void>> = {
  /** One caller acquires and releases a lock that nobody else wants. */
  async locks() {
    const locks = (await start()).get(ClusterLocks);
    await locks.run('lock', () => Promise.resolve());
    const finish = startSample();
    for (let index = 0; index < count; index += 1) await locks.run('lock', () => Promise.resolve());
    finish(count);
  },

  /** Two instances hand the lead to each other. */
  async handOvers() {
    const first = once(elected, 'elected');
    const apps = [await start([Leader]), await start([Leader])];
    const elections = apps.map((app) => app.get(Leader).election);
    await first;
    const finish = startSample();
    for (let index = 0; index < count; index += 1) {
      const next = once(elected, 'elected');
      await elections.find(({ isLeader }) => isLeader)?.resign();
      await next;
    }
    finish(count);
  },

  async plainPuts() {
    const watcher = (await start()).get(WatcherService);
    await watcher.put('/b/0', 'x');
    const finish = startSample();
    await inParallel(count, (index) => watcher.put(`/b/${index}`, 'x'));
    finish(count);
  },

  async fencedPuts() {
    const app = await start();
    const watcher = app.get(WatcherService);
    await using lock = await app.get(ClusterLocks).acquire('lock');
    const { fence } = lock;
    await watcher.put('/b/0', 'x', { fence });
    const finish = startSample();
    await inParallel(count, (index) => watcher.put(`/b/${index}`, 'x', { fence }));
    finish(count);
  },

  /** An instance that leads and has a lock, for `count` milliseconds. */
  async idle() {
    const first = once(elected, 'elected');
    const app = await start([Leader]);
    await using lock = await app.get(ClusterLocks).acquire('lock');
    await first;
    const before = await proposals();
    const finish = startSample();
    await sleep(count);
    if (!lock.fence.held) throw new Error('the lock is lost');
    finish(count, { proposals: (await proposals()) - before });
  },
};

/** Number of changes that etcd has committed, of keys and leases. */
const proposals = (): Promise<number> => metricOf(hosts[0] ?? '', 'etcd_server_proposals_committed_total');

await WORKS[work]();
