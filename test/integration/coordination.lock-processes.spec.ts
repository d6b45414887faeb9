import { describe, it } from 'vitest';
import { eventually } from '../support/eventually.js';
import { ownEtcd } from '../support/own-etcd.js';
import { runOwnerRounds } from '../support/owner-rounds.js';
import { POD_TIMEOUT_MS } from '../support/pod-rounds.js';
import { Pods } from '../support/pods.js';

describe('a lock of several processes', () => {
  const etcd = ownEtcd({ size: 3 });

  it(
    'has one holder, in the order of the queue, while owners are killed, stopped and cut off',
    { timeout: POD_TIMEOUT_MS },
    async () => {
      await using pods = await Pods.start('lock.mjs', { hosts: etcd.hosts, count: 4 });
      const pastOwners = await runOwnerRounds(etcd, { pods, subject: 'lock', prefix: '/coordination/v1/locks/job/' });
      for (const { pod, token } of pastOwners) {
        await eventually(() => pod.output.includes(`failed ETCD_LOCK_LOST ${token} aborted=true`));
      }
    },
  );
});
