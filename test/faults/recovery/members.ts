import { Etcd3 } from 'etcd3';
import { type EtcdTestCluster, type EtcdMember } from 'nestjs-etcd-trigger/testing';
import { eventually } from '../../support/eventually.js';

/** etcd's own defaults, where a time depends on them; the test cluster has shorter ones. */
export const DEFAULT_ELECTIONS = ['--heartbeat-interval=100', '--election-timeout=1000'];

/** The member that serves the watches of a cluster on which nothing else watches. */
export function servingMember(cluster: EtcdTestCluster): Promise<EtcdMember> {
  return eventually(async () => {
    const counts = await Promise.all(
      cluster.members.map((member) => member.metric('etcd_debugging_mvcc_watcher_total').catch(() => 0)),
    );
    const [serving, ...more] = cluster.members.filter((_, index) => (counts[index] ?? 0) > 0);
    if (!serving || more.length > 0) throw new Error('the watch is to be served by one member');
    return serving;
  });
}

/** Makes a member the leader, or one of the others. */
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
