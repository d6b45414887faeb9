import { Etcd3 } from 'etcd3';
import { type EtcdTestCluster, type EtcdMember } from 'nestjs-etcd-trigger/testing';
import { eventually } from '../../support/eventually.js';

/** etcd's default timeouts, for measurements that depend on them. The test cluster's defaults are shorter. */
export const DEFAULT_ELECTIONS = ['--heartbeat-interval=100', '--election-timeout=1000'];

/** Returns the member that serves the cluster's only watch. */
export function servingMember(cluster: EtcdTestCluster): Promise<EtcdMember> {
  return eventually(async () => {
    const counts = await Promise.all(
      cluster.members.map((member) => member.metric('etcd_debugging_mvcc_watcher_total').catch(() => 0)),
    );
    const [serving, ...more] = cluster.members.filter((_, index) => (counts[index] ?? 0) > 0);
    if (!serving || more.length > 0) throw new Error('the watch must be served by exactly one member');
    return serving;
  });
}

/** Makes a member the leader. */
export async function lead(cluster: EtcdTestCluster, member: EtcdMember): Promise<void> {
  await eventually(async () => {
    const leader = await cluster.leader();
    if (leader === member) return true;
    const from = new Etcd3({ hosts: leader.endpoint });
    const to = new Etcd3({ hosts: member.endpoint });
    try {
      const { header } = await to.maintenance.status();
      await from.maintenance.moveLeader({ targetID: header.member_id });
    } finally {
      from.close();
      to.close();
    }
    return (await cluster.leader()) === member;
  });
}
