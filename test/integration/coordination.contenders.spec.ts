import { describe, expect, it } from 'vitest';
import { FenceRegistry } from '../../lib/backend/fence.js';
import { Coordination } from '../../lib/coordination/coordination.js';
import type { ElectionCandidate } from '../../lib/coordination/election-candidate.js';
import { InstanceLog } from '../../lib/etcd-trigger.log.js';
import { SharedRanges } from '../../lib/watch/sharing/shared-ranges.js';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { quiet } from '../support/quiet-logger.js';
import { openBackend } from '../testing/contract/open-backend.js';

const CANDIDATES = 200;
const CONNECTIONS = 10;
const log = new InstanceLog(quiet, { serviceName: 's', podName: 'p' });

describe('an election with many candidates', () => {
  const etcd = ownEtcd();

  const proposals = async (): Promise<number> => {
    const metrics = await (await fetch(`http://127.0.0.1:${etcd.first.clientPort}/metrics`)).text();
    return Number(/^etcd_server_proposals_committed_total (\S+)$/m.exec(metrics)?.[1]);
  };

  it('costs etcd few proposals when the leader changes', async () => {
    const backends = Array.from({ length: CONNECTIONS }, () => openBackend({ hosts: etcd.hosts }));
    const instances = Array.from({ length: CANDIDATES }, (_, index) => {
      const backend = backends[index % CONNECTIONS] ?? openBackend({ hosts: etcd.hosts });
      const { keyValue, listWatcher } = backend;
      const ranges = new SharedRanges(listWatcher, log);
      const coordination = new Coordination(
        { prefix: '/contenders', ttlSeconds: 300, marginMs: undefined },
        {
          backend,
          keyValue,
          ranges,
          fences: new FenceRegistry(),
          log,
          serviceName: 's',
          podName: `pod-${index}`,
          requestTimeoutMs: 5_000,
        },
      );
      return { coordination, ranges, candidate: coordination.election('one') };
    });
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

    for (const { coordination, ranges } of instances) {
      coordination.close();
      ranges.close();
    }
    for (const backend of backends) backend.close();
  });
});
