import { describe, it } from 'vitest';
import { ownEtcd } from '../support/own-etcd.js';
import { runOwnerRounds } from '../support/owner-rounds.js';
import { POD_TIMEOUT_MS } from '../support/pod-rounds.js';
import { Pods } from '../support/pods.js';

describe('an election of several processes', () => {
  const etcd = ownEtcd({ size: 3 });

  it('has one leader while leaders are killed, stopped and cut off', { timeout: POD_TIMEOUT_MS }, async () => {
    await using pods = await Pods.start('election.mjs', { hosts: etcd.hosts, count: 3 });
    await runOwnerRounds(etcd, { pods, subject: 'election', prefix: '/coordination/v1/elections/writer' });
  });
});
