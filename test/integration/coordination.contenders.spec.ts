import { describe, expect, it } from 'vitest';
import { FenceRegistry } from '../../lib/backend/fence.js';
import { Coordination } from '../../lib/coordination/coordination.js';
import type { ElectionCandidate } from '../../lib/coordination/election-candidate.js';
import type { QueuedLock } from '../../lib/coordination/queued-lock.js';
import { InstanceLog } from '../../lib/etcd-trigger.log.js';
import { DEFAULT_LIMITS } from '../../lib/backend/transaction-limits.js';
import { SharedRanges } from '../../lib/watch/sharing/shared-ranges.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { quiet } from '../support/quiet-logger.js';
import { openBackend } from '../testing/contract/open-backend.js';

const CANDIDATES = 200;
const CONNECTIONS = 10;
/** Number of releases of the lock. */
const CHANGES = 20;
const log = new InstanceLog(quiet, { serviceName: 's', podName: 'p' });

describe('many contenders', () => {
  const etcd = ownEtcd();

  const proposals = async (): Promise<number> =>
    (await etcd.first.metric('etcd_server_proposals_committed_total')) ?? NaN;
  const events = async (): Promise<number> => (await etcd.first.metric('etcd_debugging_mvcc_events_total')) ?? NaN;

  const start = () => {
    const backends = Array.from({ length: CONNECTIONS }, () => openBackend({ hosts: etcd.hosts }));
    const instances = Array.from({ length: CANDIDATES }, (_, index) => {
      const backend = backends[index % CONNECTIONS] ?? openBackend({ hosts: etcd.hosts });
      const { keyValue, listWatcher } = backend;
      const ranges = new SharedRanges(listWatcher, log);
      const coordination = new Coordination(
        { prefix: '/contenders', ttlSeconds: 300, marginMs: undefined, settleMs: 5_000 },
        {
          backend,
          keyValue,
          ranges,
          fences: new FenceRegistry(),
          log,
          serviceName: 's',
          podName: `pod-${index}`,
          requestTimeoutMs: 5_000,
          limits: DEFAULT_LIMITS,
        },
      );
      return { coordination, ranges };
    });
    return {
      instances,
      [Symbol.dispose]: () => {
        for (const { coordination, ranges } of instances) {
          coordination.close();
          ranges.close();
        }
        for (const backend of backends) backend.close();
      },
    };
  };

  it('for the lead cost etcd few proposals when the leader changes', async () => {
    using started = start();
    const instances = started.instances.map((each) => ({ ...each, candidate: each.coordination.election('one') }));
    const leader = (): ElectionCandidate | undefined =>
      instances.find(({ candidate }) => candidate.isLeader)?.candidate;

    for (const { coordination } of instances) coordination.start();
    await eventually(() => instances.every(({ candidate }) => candidate.leader !== undefined));
    await eventually(() => instances.every(({ coordination }) => coordination.members.all.length === CANDIDATES));

    for (let change = 0; change < 5; change += 1) {
      const before = leader();
      const committed = await proposals();
      await before?.resign();
      await eventually(() => {
        const now = leader();
        return now !== before && instances.every(({ candidate }) => candidate.leader?.token === now?.term?.token);
      });
      // Each change consists of the deletion of the owner key and its creation; the rest are failed attempts.
      expect((await proposals()) - committed).toBeLessThanOrEqual(5);
      expect(instances.filter(({ candidate }) => candidate.isLeader)).toHaveLength(1);
    }
  });

  it('for a lock cost etcd one proposal and few events when it is released', async () => {
    using started = start();
    const acquired: QueuedLock[] = [];
    for (const { coordination } of started.instances) {
      coordination.locks.acquire('one').then(
        (lock) => acquired.push(lock),
        // At the end, the others are still waiting.
        () => undefined,
      );
    }
    await eventually(async () => (await etcd.direct.getAll().prefix('/contenders/').keys()).length === CANDIDATES);
    await eventually(async () => (await etcd.first.metric('etcd_debugging_mvcc_watcher_total')) === 2 * CANDIDATES - 1);
    const before = { proposals: await proposals(), events: await events() };
    for (let released = 0; released < CHANGES; released += 1) {
      await acquired.at(-1)?.release();
      await eventually(() => acquired.length === released + 2);
      expect(acquired.filter(({ fence }) => fence.held)).toHaveLength(1);
    }
    const order = acquired.map(({ fence }) => fence.token);
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(((await proposals()) - before.proposals) / CHANGES).toBeLessThan(1.1);
    expect(((await events()) - before.events) / CHANGES).toBeLessThanOrEqual(3);
  });
});
